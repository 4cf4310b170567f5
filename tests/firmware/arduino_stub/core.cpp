/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a sketch as an Arduino core does, until standard input ends. */
#include "Arduino.h"

#include <chrono>
#include <stdio.h>
#include <stdlib.h>

extern void setup();
extern void loop();

SerialPort Serial;
SerialPort Serial0;
SerialPort Serial1;

uint32_t getCpuFrequencyMhz()
{
    return 160; /* a clock that differs from the board file's */
}

static int waiting = EOF;
static int pin_changes;

/* Time goes 64 times as fast as on the computer's clock: what a board takes microseconds for, a computer may do
 * within one, and a small model would take none. */
static unsigned long long now_us()
{
    using namespace std::chrono;
    return (unsigned long long)duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count() * 8u / 125u;
}

/* The counter starts right before its turn, so that every run goes over it. */
static const unsigned long long start_us = now_us();

unsigned long micros()
{
    return (uint32_t)(now_us() - start_us + 0xffffff00u);
}

unsigned long millis()
{
    return (uint32_t)((now_us() - start_us) / 1000u);
}

void delayMicroseconds(unsigned int us)
{
    fprintf(stderr, "delay %u us\n", us);
}

void yield()
{
}

void pinMode(int pin, int mode)
{
    fprintf(stderr, "pin %d mode %d\n", pin, mode);
}

void digitalWrite(int pin, int value)
{
    pin_changes++;
    fprintf(stderr, "pin %d value %d\n", pin, value);
}

void SerialPort::begin(unsigned long baud)
{
    fprintf(stderr, "%sbaud %lu\n", this == &Serial ? "" : this == &Serial1 ? "Serial1 " : "Serial0 ", baud);
}

size_t SerialPort::setRxBufferSize(size_t bytes)
{
    fprintf(stderr, "queue %zu\n", bytes);
    return bytes;
}

int SerialPort::available()
{
    if (waiting == EOF) {
        waiting = getchar();
        if (waiting == EOF) {
            fflush(stdout);
            exit(0);
        }
    }
    return 1;
}

int SerialPort::read()
{
    const int byte = waiting;
    waiting = EOF;
    return byte;
}

size_t SerialPort::write(uint8_t byte)
{
    putchar(byte);
    return 1;
}

void SerialPort::flush()
{
    fflush(stdout);
}

SerialPort::operator bool()
{
    return true;
}

int main()
{
    setup();
    for (;;) {
        loop();
    }
}
