// SPDX-License-Identifier: Apache-2.0
export type Values =
  | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | Float32Array;

export interface Tensor {
  readonly name: string;
  readonly type: "int8" | "uint8" | "bool" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "float32";
  readonly shape: readonly number[];
  readonly count: number;
  /** real = (stored - zeroPoint) * scale; 0 where the tensor is not quantized. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** Where each place on the last axis has its own. */
  readonly scales?: readonly number[];
  readonly zeroPoints?: readonly number[];
}

export const name: string;
export const version: string;
export const title: string;
/** Of the model's file. */
export const sha256: string;
export const inputs: readonly Tensor[];
export const outputs: readonly Tensor[];
/** Names of the classes; empty where they are not known. */
export const classes: readonly string[];
/** Names of the events that the model has: empty where it has none. */
export const eventNames: readonly string[];
export const layers: number;

export interface ModelEvent {
  readonly name: string;
  /** What happened: a class. */
  readonly classNumber: number;
  /** In which inference since the last reset, from 0. */
  readonly inference: number;
  /** How many samples had been taken when it was known. */
  readonly sample: number;
  /** Outputs that belong to it: from this one on, so many. */
  readonly firstOutput: number;
  readonly outputCount: number;
}

export function hasSimd(): boolean;
export function load(options?: { simd?: boolean; wasm?: BufferSource | WebAssembly.Module }): Promise<Model>;
export function quantize(values: Float32Array, tensor: Tensor): Values;

export class Model {
  readonly simd: boolean;
  readonly bytes: number;
  /** What happened in the last run or step. */
  readonly events: readonly ModelEvent[];
  /** Arrays of the model's own types, or Float32Arrays in real units: outputs are in real units then, too. */
  run(...values: Values[]): Values | Values[];
  write(...values: Values[]): void;
  read(real?: boolean): Values | Values[];
  outputBytes(index?: number): Uint8Array;
  /** Runs at most that many layers of an inference. Whether it is done. */
  step(count?: number): boolean;
  reset(): void;
}
