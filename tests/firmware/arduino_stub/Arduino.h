/* SPDX-License-Identifier: Apache-2.0 */
/* The few pieces of an Arduino core that the firmware's port uses, on a computer's standard input and output. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#define OUTPUT 1
#define LOW 0
#define HIGH 1

unsigned long millis();
unsigned long micros();
void delayMicroseconds(unsigned int us);
void yield();
void pinMode(int pin, int mode);
void digitalWrite(int pin, int value);

class SerialPort
{
  public:
    void begin(unsigned long baud);
    size_t setRxBufferSize(size_t bytes);
    int available();
    int read();
    size_t write(uint8_t byte);
    void flush();
    explicit operator bool();
};

extern SerialPort Serial;
extern SerialPort Serial1;
extern SerialPort Serial0;

#ifdef ARDUINO_ARCH_ESP32
uint32_t getCpuFrequencyMhz();
#endif

#endif
