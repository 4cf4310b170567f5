/* SPDX-License-Identifier: Apache-2.0 */
/* The few pieces of an Arduino core that the example sketch uses, on a computer's standard output. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define A0 14

static unsigned long now;
static inline unsigned long micros()
{
    return now += 5000;
}
static inline int analogRead(int)
{
    return 512;
}

struct SerialPort {
    void begin(unsigned long)
    {
    }
    void print(const char *text)
    {
        printf("%s", text);
    }
    void print(unsigned long value)
    {
        printf("%lu", value);
    }
    void println(unsigned value)
    {
        printf("%u\n", value);
    }
    void print(unsigned value)
    {
        printf("%u", value);
    }
    void println(const char *text)
    {
        printf("%s\n", text);
    }
    void println(long value)
    {
        printf("%ld\n", value);
    }
    void println(unsigned long value)
    {
        printf("%lu\n", value);
    }
    void println(float value, int digits)
    {
        printf("%.*f\n", digits, (double)value);
    }
};
static SerialPort Serial;

#endif
