// SPDX-License-Identifier: Apache-2.0
// A model as WebAssembly: for browsers, workers, Node.js, Deno and Bun. No dependency, no network but its own file.
const MODEL = /*MODEL*/ null;

const ARRAYS = {
  int8: Int8Array, uint8: Uint8Array, bool: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
  uint32: Uint32Array, int64: BigInt64Array, float32: Float32Array,
};
const INT32 = [-2147483648, 2147483647];
const LIMITS = {
  int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767], uint16: [0, 65535], int32: INT32, uint32: [0, 4294967295],
};

// A function with one vector instruction: what an engine without SIMD does not take.
const VECTORS = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);

export const { name, version, title, sha256, inputs, outputs, classes, eventNames, layers } = MODEL;

/** Whether this engine has WebAssembly's vector instructions. */
export function hasSimd() {
  return WebAssembly.validate(VECTORS);
}

/** Loads the build with vectors where the engine has them, else the plain one. Each model has a state of its own. */
export async function load({ simd = hasSimd(), wasm = undefined } = {}) {
  const file = simd ? `${name}.simd.wasm` : `${name}.wasm`;
  const source = wasm ?? (await bytesOf(new URL(file, import.meta.url)));
  const module = source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source);
  const instance = await WebAssembly.instantiate(module, {});
  return new Model(instance.exports, simd, source.byteLength ?? 0);
}

async function bytesOf(url) {
  if (url.protocol === "file:" && globalThis.process?.versions?.node) {
    const { readFile } = await import("node:fs/promises");
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${url}: ${response.status} ${response.statusText}`);
  }
  return response.arrayBuffer();
}

const EVENT_WORDS = 7; // of an event in the module's memory

export class Model {
  #exports;
  /** What happened in the last run or step. */
  events = [];

  constructor(exports, simd, bytes) {
    this.#exports = exports;
    /** Whether this is the build with vectors. */
    this.simd = simd;
    /** The size of the .wasm. */
    this.bytes = bytes;
    this.#call("init");
    if (eventNames.length) {
      this.#call("listen");
    }
  }

  /**
   * One inference. Per input an array of the model's own type, taken as it is, or a Float32Array in real units, which
   * is quantized. The outputs are in real units where the first input was. One output is an array, several are a list.
   */
  run(...values) {
    this.write(...values);
    const status = this.#call("invoke");
    this.events = this.#heard();
    if (status !== 0) {
      throw new Error("the model could not run");
    }
    return this.read(isReal(values[0], inputs[0]));
  }

  /** Fills the inputs, as `run` does. */
  write(...values) {
    if (values.length !== inputs.length) {
      throw new TypeError(`${values.length} inputs for a model that has ${inputs.length}`);
    }
    values.forEach((value, index) => this.#view("input", index).set(stored(value, inputs[index])));
  }

  /** The outputs, in real units or as they are. */
  read(real = false) {
    const all = outputs.map((output, index) => {
      const raw = this.#view("output", index).slice();
      return real && output.type !== "float32" ? realValues(raw, output) : raw;
    });
    return all.length === 1 ? all[0] : all;
  }

  /** The bytes of an output. */
  outputBytes(index = 0) {
    const view = this.#view("output", index);
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  }

  /** Runs at most that many layers of an inference. Whether it is done. */
  step(count = 1) {
    const done = this.#call("step", count) !== 0;
    this.events = this.#heard();
    return done;
  }

  /** What the model remembers between inferences, back to its initial values. */
  reset() {
    this.#call("reset");
    this.events = [];
  }

  #heard() {
    if (!eventNames.length) {
      return [];
    }
    const words = new Uint32Array(this.#exports.memory.buffer, this.#call("heard"), EVENT_WORDS * eventNames.length);
    return Array.from({ length: this.#call("heard_count") }, (_, index) => {
      const [source, classNumber, inference, low, high, firstOutput, outputCount] = words.subarray(EVENT_WORDS * index);
      const sample = high * 4294967296 + low;
      return { name: eventNames[source], classNumber, inference, sample, firstOutput, outputCount };
    });
  }

  #call(what, ...rest) {
    return this.#exports[`ts_${name}_${what}`](...rest);
  }

  #view(which, index) {
    const tensor = (which === "input" ? inputs : outputs)[index];
    const place = this.#call(which, index);
    return new ARRAYS[tensor.type](this.#exports.memory.buffer, place, tensor.count);
  }
}

/** Values in real units as the model stores them: rounded half away from zero, saturated; what is no number is the lowest. */
export function quantize(values, tensor) {
  const [low, high] = LIMITS[tensor.type];
  return ARRAYS[tensor.type].from(values, (value, place) => {
    const { scale, zeroPoint } = affine(tensor, place);
    const scaled = Math.fround(Math.fround(value) / scale);
    const rounded = Math.trunc(Math.fround(scaled + (scaled < 0 ? -0.5 : 0.5)));
    const stored = Math.min(INT32[1], Math.max(INT32[0], rounded)) + zeroPoint;
    return Number.isNaN(stored) ? low : Math.min(high, Math.max(low, stored));
  });
}

/** Scale and zero point of an element: a tensor may have them by the place on its last axis. Integers have 1 and 0. */
function affine(tensor, place) {
  if (!tensor.scales) {
    return { scale: tensor.scale || 1, zeroPoint: tensor.zeroPoint };
  }
  const feature = place % tensor.scales.length;
  return { scale: tensor.scales[feature], zeroPoint: tensor.zeroPoints[feature] };
}

function stored(value, tensor) {
  const wanted = ARRAYS[tensor.type];
  if (value?.length !== tensor.count) {
    throw new TypeError(`${tensor.name} has ${tensor.count} elements (${tensor.shape.join(" x ")}), not ${value?.length}`);
  }
  if (value instanceof wanted) {
    return value;
  }
  if (!(value instanceof Float32Array) || !(tensor.type in LIMITS)) {
    throw new TypeError(`${tensor.name} takes a ${wanted.name}${tensor.type in LIMITS ? " or a Float32Array" : ""}`);
  }
  return quantize(value, tensor);
}

function isReal(value, tensor) {
  return value instanceof Float32Array && tensor?.type !== "float32";
}

function realValues(raw, tensor) {
  return Float32Array.from(raw, (value, place) => {
    const { scale, zeroPoint } = affine(tensor, place);
    return Math.fround(Math.fround(Number(value) - zeroPoint) * scale);
  });
}
