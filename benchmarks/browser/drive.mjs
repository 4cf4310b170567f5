// SPDX-License-Identifier: Apache-2.0
// Opens the page in Chromium, waits for its results, and notes the bytes that each file took.
import { chromium } from "playwright-core";

const [address, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage();
const bytes = {};
page.on("response", async (response) => {
  const body = await response.body().catch(() => Buffer.alloc(0));
  bytes[new URL(response.url()).pathname] = body.length;
});
page.on("pageerror", (error) => console.error(error));
await page.goto(address);
await page.waitForFunction(() => window.results, undefined, { timeout: 500000 });
console.log(JSON.stringify({ results: await page.evaluate(() => window.results), bytes, browser: browser.version() }));
await browser.close();
