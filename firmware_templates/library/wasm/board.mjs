// SPDX-License-Identifier: Apache-2.0
// A board with tinyserve's firmware, over WebSerial or whatever else has a `readable` and a `writable` of bytes.

const ANSWER_MS = 5000;
const INFERENCE_MS = 120000;

export class Board {
  #reader;
  #writer;
  #port;
  #text = "";
  #decoder = new TextDecoder();

  constructor(port) {
    this.#port = port;
    this.#reader = port.readable.getReader();
    this.#writer = port.writable.getWriter();
  }

  /** Asks the user for a port, opens it, and greets the board. */
  static async request() {
    const port = await navigator.serial.requestPort();
    await port.open({ baudRate: 115200 });
    const board = new Board(port);
    try {
      await board.connect();
    } catch (error) {
      await board.close().catch(() => {}); // or the next try finds the port in use
      throw error;
    }
    return board;
  }

  /** Reads what the board says of itself into `facts`. What it says after start-up is passed over. */
  async connect() {
    let lines = await this.ask("ts-info");
    for (let tries = 0; tries < 2 && !lines.some((line) => line.startsWith("ts-info-[")); tries++) {
      lines = await this.#answer(ANSWER_MS);
    }
    const pairs = lines.map((line) => /^ts-info-\[(\w+)=(.*)\]$/.exec(line)).filter(Boolean);
    if (pairs.length === 0) {
      throw new Error("no tinyserve firmware answers on this port");
    }
    this.facts = Object.fromEntries(pairs.map(([, key, value]) => [key, value]));
    return this.facts;
  }

  /** One inference on the bytes of each input: the bytes of each output, and the ticks it took. */
  async infer(inputs) {
    await this.ask("ts-reset");
    for (const [index, bytes] of inputs.entries()) {
      await this.#load(index, bytes);
    }
    const lines = await this.ask("ts-infer 1 0", INFERENCE_MS);
    const ticks = Number(/ts-ticks-\[(\d+)\]/.exec(lines.join("\n"))?.[1] ?? NaN);
    const outputs = [];
    for (let index = 0; index < Number(this.facts.outputs); index++) {
      const answer = await this.ask(`ts-output ${index}`);
      const hex = answer.map((line) => /^ts-output-\[([0-9a-fA-F]*)\]$/.exec(line)?.[1] ?? "").join("");
      outputs.push(Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)));
    }
    return { outputs, ticks, unit: this.facts.tick_unit, hz: Number(this.facts.tick_hz) };
  }

  async #load(index, bytes) {
    await this.ask(`ts-select ${index}`);
    await this.ask(`db load ${bytes.length}`);
    const piece = Math.max(1, Math.floor((Number(this.facts.line_bytes) - "db ".length) / 2));
    for (let at = 0; at < bytes.length; at += piece) {
      const part = bytes.subarray(at, at + piece);
      await this.ask(`db ${Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join("")}`);
    }
  }

  /** Sends a command; the lines of the answer. */
  async ask(command, timeoutMs = ANSWER_MS) {
    await this.#writer.write(new TextEncoder().encode(`${command}%`));
    const lines = await this.#answer(timeoutMs);
    const refusal = lines.find((line) => line.startsWith("e-["));
    if (refusal) {
      throw new Error(`the board answered ${refusal} to ${command.slice(0, 40)}`);
    }
    return lines;
  }

  async #answer(timeoutMs) {
    const lines = [];
    const end = Date.now() + timeoutMs;
    for (;;) {
      const at = this.#text.indexOf("\n");
      if (at < 0) {
        this.#text += await this.#more(end - Date.now());
        continue;
      }
      const line = this.#text.slice(0, at).trim();
      this.#text = this.#text.slice(at + 1);
      if (line === "m-ready") {
        return lines;
      }
      lines.push(line);
    }
  }

  async #more(timeoutMs) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("the board does not answer")), Math.max(0, timeoutMs));
    });
    try {
      const { value, done } = await Promise.race([this.#reader.read(), late]);
      if (done) {
        throw new Error("the board was disconnected");
      }
      return this.#decoder.decode(value, { stream: true });
    } finally {
      clearTimeout(timer);
    }
  }

  async close() {
    await this.#reader.cancel().catch(() => {});
    this.#reader.releaseLock();
    this.#writer.releaseLock();
    await this.#port.close?.();
  }
}
