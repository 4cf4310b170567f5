// SPDX-License-Identifier: Apache-2.0
export interface Port {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  close?(): Promise<void>;
}

export interface Inference {
  outputs: Uint8Array[];
  ticks: number;
  unit: string;
  hz: number;
}

export class Board {
  constructor(port: Port);
  /** Asks the user for a serial port (WebSerial). */
  static request(): Promise<Board>;
  readonly facts: Readonly<Record<string, string>>;
  connect(): Promise<Readonly<Record<string, string>>>;
  infer(inputs: Uint8Array[]): Promise<Inference>;
  ask(command: string, timeoutMs?: number): Promise<string[]>;
  close(): Promise<void>;
}
