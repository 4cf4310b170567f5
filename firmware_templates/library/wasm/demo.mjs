// SPDX-License-Identifier: Apache-2.0
// The page: an input by what the model takes, its outputs, the time, and a board beside it.

const SHOWN = 10;
const TIMED_MS = 300;
const MOST_RUNS = 200;
const AUDIO_HZ = 16000;

const by = (id) => document.getElementById(id);
const say = (text) => { by("status").textContent = text; };
const kind = kindOf(inputs[0]);
let model;
let fresh; // another instance, always at its beginning: the bytes to compare, and what is timed
let current = []; // the bytes of each input of the last inference, and of each output
let computed = [];

function kindOf({ shape, count }) {
  const [height, width, channels] = shape.length === 4 ? shape.slice(1) : [0, 0, 0];
  const square = height >= 16 && width >= 16 && Math.max(height, width) <= 2 * Math.min(height, width);
  if (square && (channels === 1 || channels === 3)) {
    return "image";
  }
  const long = shape.filter((extent) => extent > 1).length === 1 && count >= 4000;
  return long ? "audio" : "values";
}

// --- inputs

function fromBytes(tensor, bytes) {
  return new ARRAYS[tensor.type](bytes.slice().buffer);
}

/** The same input on every machine: what reports of a fault begin with. */
function pattern(tensor) {
  if (tensor.type === "float32") {
    return Float32Array.from({ length: tensor.count }, (_, i) => (((i * 31 + 7) & 0xff) - 128) / 128);
  }
  const bytes = Uint8Array.from({ length: tensor.count * ARRAYS[tensor.type].BYTES_PER_ELEMENT }, (_, i) => i * 31 + 7);
  return fromBytes(tensor, bytes);
}

function random(tensor) {
  if (tensor.type === "float32") {
    return Float32Array.from({ length: tensor.count }, () => Math.random());
  }
  const bytes = new Uint8Array(tensor.count * ARRAYS[tensor.type].BYTES_PER_ELEMENT);
  for (let at = 0; at < bytes.length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65536));
  }
  return fromBytes(tensor, bytes);
}

/** Numbers of 0 to 1 over the whole range of what the input can hold. */
function spread(tensor, numbers) {
  if (tensor.type === "float32") {
    return Float32Array.from(numbers);
  }
  const [low, high] = LIMITS[tensor.type];
  return ARRAYS[tensor.type].from(numbers, (value) => Math.round(low + value * (high - low)));
}

function fromPicture(source) {
  const [, height, width, channels] = inputs[0].shape;
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, width, height);
  const { data } = pen.getImageData(0, 0, width, height);
  const numbers = new Float32Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 1) {
      numbers[i] = (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
    } else {
      numbers.set([red / 255, green / 255, blue / 255], 3 * i);
    }
  }
  return spread(inputs[0], numbers);
}

async function fromSound(data) {
  const decoded = await new OfflineAudioContext(1, 1, AUDIO_HZ).decodeAudioData(data);
  const samples = decoded.getChannelData(0).subarray(0, inputs[0].count);
  const values = new Float32Array(inputs[0].count);
  values.set(samples);
  return spread(inputs[0], inputs[0].type === "float32" ? values : values.map((value) => (value + 1) / 2));
}

function fromNumbers(text) {
  const numbers = text.split(/[\s,;[\]]+/).filter(Boolean).map(Number);
  if (numbers.some(Number.isNaN)) {
    throw new Error("not only numbers");
  }
  return Float32Array.from(numbers);
}

const NPY = { "|i1": Int8Array, "|u1": Uint8Array, "<i2": Int16Array, "<i4": Int32Array, "<f4": Float32Array, "<f8": Float64Array };

function fromNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const long = view.getUint8(6) > 1;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, start));
  const type = NPY[/'descr': '([^']+)'/.exec(header)?.[1]];
  if (!type || /'fortran_order': True/.test(header)) {
    throw new Error("an .npy of another type than integers to 32 bits or floats");
  }
  const values = new type(bytes.slice(start).buffer);
  const own = type === ARRAYS[inputs[0].type];
  return own ? values.slice(0, inputs[0].count) : Float32Array.from(values.subarray(0, inputs[0].count));
}

async function fromFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (file.type.startsWith("image/")) {
    return fromPicture(await createImageBitmap(file));
  }
  if (file.type.startsWith("audio/")) {
    return fromSound(bytes.buffer);
  }
  if (/\.npy$/i.test(file.name)) {
    return fromNpy(bytes);
  }
  if (/\.(csv|txt|json)$/i.test(file.name)) {
    return fromNumbers(new TextDecoder().decode(bytes));
  }
  return fromBytes(inputs[0], bytes);
}

async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.ondataavailable = (event) => pieces.push(event.data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  say("Listening…");
  setTimeout(() => recorder.stop(), (inputs[0].count / AUDIO_HZ) * 1000);
  await stopped;
  stream.getTracks().forEach((track) => track.stop());
  return fromSound(await new Blob(pieces).arrayBuffer());
}

// --- running

function rest() {
  return inputs.slice(1).map((tensor) => tensor.type in LIMITS
    ? quantize(new Float32Array(tensor.count), tensor)
    : new ARRAYS[tensor.type](tensor.count));
}

function run(first, what) {
  try {
    const values = [first, ...rest()];
    fresh.reset();
    const started = performance.now();
    fresh.run(...values);
    const once = performance.now() - started;
    current = values.map((value, index) => storedBytes(value, inputs[index]));
    computed = outputs.map((_, index) => fresh.outputBytes(index));
    show(inStream(values), computed);
    by("time").textContent = time(timed(values, once));
    say(what);
  } catch (error) {
    say(`This input can't be run: ${error.message}`);
  }
}

/** Output 0 in real units. A model with events hears its inputs as a stream: what lasts is what it tells. */
function inStream(values) {
  if (!eventNames.length) {
    return [fresh.read(true)].flat()[0];
  }
  model.run(...values);
  const [scores] = [model.read(true)].flat();
  for (const { name: what, classNumber, inference } of model.events) {
    const item = document.createElement("li");
    item.textContent = `${what}: ${classes[classNumber] ?? `class ${classNumber}`}, in inference ${inference}`;
    by("events").prepend(item);
  }
  while (by("events").children.length > SHOWN) {
    by("events").lastChild.remove();
  }
  return scores;
}

function storedBytes(value, tensor) {
  const own = value instanceof ARRAYS[tensor.type] ? value : quantize(value, tensor);
  return new Uint8Array(own.buffer, own.byteOffset, own.byteLength).slice();
}

/** The median of as many runs as fit into a moment, once the engine has compiled the code for speed. */
function timed(values, once) {
  const times = [];
  const warm = performance.now() + TIMED_MS;
  for (let i = 0; i < MOST_RUNS && performance.now() < warm; i++) {
    fresh.run(...values);
  }
  const end = performance.now() + TIMED_MS;
  const count = Math.max(3, Math.min(MOST_RUNS, Math.round(TIMED_MS / Math.max(once, 0.01))));
  for (let i = 0; i < count && (i < 3 || performance.now() < end); i++) {
    const started = performance.now();
    for (let j = 0; j < 10; j++) {
      fresh.run(...values);
    }
    times.push((performance.now() - started) / 10);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

function time(ms) {
  return ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(2)} ms`;
}

function show(scores, raw) {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]).slice(0, SHOWN);
  const top = Math.max(...order.map((i) => Math.abs(scores[i])), 1e-9);
  by("scores").replaceChildren(...order.map((i) => row(classes[i] ?? `output ${i}`, scores[i], scores[i] / top)));
  by("more").textContent = scores.length > SHOWN ? `the greatest ${SHOWN} of ${scores.length} values` : "";
  by("bytes").textContent = raw.map((one) => hex(one)).join("\n");
}

function row(label, value, share) {
  const item = document.createElement("li");
  const text = document.createElement("span");
  const number = document.createElement("b");
  const bar = document.createElement("i");
  text.textContent = label;
  number.textContent = value.toPrecision(3);
  bar.style.inlineSize = `${Math.max(0, share) * 100}%`;
  item.append(text, number, bar);
  return item;
}

function hex(bytes) {
  const shown = Array.from(bytes.subarray(0, 256), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return bytes.length > 256 ? `${shown}…` : shown;
}

// --- a board beside it

let board;

async function compare() {
  by("compare").disabled = true;
  try {
    if (!board) {
      say("Choose the board's port…");
      board = await Board.request();
      if (board.facts.model_sha256 !== sha256) {
        throw new Error(`the board runs another model (${board.facts.model_sha256?.slice(0, 12)}…)`);
      }
    }
    say("The board computes…");
    const there = await board.infer(current);
    verdict(computed, there);
  } catch (error) {
    board?.close().catch(() => {});
    board = undefined;
    by("verdict").textContent = `No comparison: ${error.message}`;
    say("");
  } finally {
    by("compare").disabled = false;
  }
}

function verdict(here, there) {
  const differences = here.map((bytes, index) => {
    const other = there.outputs[index] ?? new Uint8Array();
    return bytes.filter((byte, i) => byte !== other[i]).length + Math.abs(other.length - bytes.length);
  });
  const total = differences.reduce((a, b) => a + b, 0);
  const counted = here.reduce((sum, bytes) => sum + bytes.length, 0);
  const took = there.hz ? time((there.ticks / there.hz) * 1000) : `${there.ticks} ${there.unit}`;
  const who = board.facts.board;
  by("verdict").textContent = total === 0
    ? `${who}: byte-identical, all ${counted} bytes. It took ${took}.`
    : `${who}: ${total} of ${counted} bytes differ. It took ${took}.`;
  by("verdict").dataset.same = String(total === 0);
  say("");
}

// --- the page

function drawing() {
  const canvas = by("pad");
  const pen = canvas.getContext("2d");
  const clear = () => { pen.fillStyle = "#000"; pen.fillRect(0, 0, canvas.width, canvas.height); };
  const at = (event) => {
    const place = canvas.getBoundingClientRect();
    const scale = canvas.width / place.width;
    return [(event.clientX - place.left) * scale, (event.clientY - place.top) * scale];
  };
  clear();
  Object.assign(pen, { lineWidth: canvas.width / 12, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...at(event));
    pen.lineTo(...at(event));
    pen.stroke();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) {
      pen.lineTo(...at(event));
      pen.stroke();
    }
  });
  canvas.addEventListener("pointerup", () => run(fromPicture(canvas), "What was drawn."));
  by("clear").addEventListener("click", () => { clear(); run(fromPicture(canvas), "Nothing is drawn."); });
  return { clear, show: (picture) => pen.drawImage(picture, 0, 0, canvas.width, canvas.height) };
}

function listen() {
  const take = async (file) => {
    try {
      run(await fromFile(file), `${file.name}.`);
    } catch (error) {
      say(`${file.name}: ${error.message}`);
    }
  };
  by("file").addEventListener("change", () => by("file").files[0] && take(by("file").files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) {
      take(event.dataTransfer.files[0]);
    }
  });
  by("pattern").addEventListener("click", () => run(pattern(inputs[0]), "A pattern: the same on every machine."));
  by("random").addEventListener("click", () => run(random(inputs[0]), "Random values."));
  by("speak").addEventListener("click", () => record().then((values) => run(values, "What was spoken."), (error) => say(error.message)));
  by("compare").addEventListener("click", compare);
}

function decoded(id) {
  return Uint8Array.from(atob(by(id).textContent.trim()), (character) => character.charCodeAt(0));
}

async function start() {
  document.body.dataset.kind = kind;
  by("pad-card").hidden = kind !== "image";
  by("speak").hidden = kind !== "audio" || !navigator.mediaDevices;
  const simd = hasSimd();
  const wasm = decoded(simd ? "wasm-simd" : "wasm-plain");
  [model, fresh] = await Promise.all([load({ simd, wasm }), load({ simd, wasm })]);
  by("events-card").hidden = !eventNames.length;
  by("begin").addEventListener("click", () => { model.reset(); by("events").replaceChildren(); say("From the beginning."); });
  by("size").textContent = `${wasm.length.toLocaleString("en")} bytes`;
  by("build").textContent = simd ? "with SIMD" : "plain";
  by("serial").textContent = "serial" in navigator
    ? "Flash a board with tinyserve, connect it, and compare its outputs on the same input."
    : "This browser has no WebSerial: Chrome and Edge on a desktop do.";
  by("compare").hidden = !("serial" in navigator);
  if (kind === "image") {
    drawing();
  }
  listen();
  run(pattern(inputs[0]), "A pattern: the same on every machine.");
  document.body.dataset.ready = "true";
}

start().catch((error) => say(`The model could not be loaded: ${error.message}`));
