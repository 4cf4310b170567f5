/* SPDX-License-Identifier: Apache-2.0 */
/* Port of an Arduino core: its Serial, its micros(), and the core's own cycle counter where there is one. */
#include <Arduino.h>

#include "config.h"
#include "port.h"
#include "protocol.h"
#include "wide_counter.h"

#ifdef CONFIG_ENERGY_MODE
#define BAUD 9600 /* as MLPerf Tiny's runner speaks through its isolated line */
#else
#define BAUD 115200
#endif
#define EDGE_US 10u /* long enough for a monitor that samples at 100 kHz */
#define CABLE_TIMEOUT_MS 3000u

#ifdef CONFIG_HAS_CYCCNT
#define DEMCR (*(volatile uint32_t *)0xe000edfcu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL (*(volatile uint32_t *)0xe0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xe0001004u)
#define DWT_LAR (*(volatile uint32_t *)0xe0001fb0u)
#define DWT_UNLOCK 0xc5acce55u
#endif

/* Where the protocol is spoken: on pins where Serial is USB and an isolated line is wanted. */
#ifdef CONFIG_ENERGY_LINE
#define LINE CONFIG_ENERGY_LINE
#else
#define LINE Serial
#endif

static uint32_t last_micros;
static uint64_t elapsed_us;

#ifdef CONFIG_HAS_CYCCNT
#define CALIBRATION_US 20000u
static wide_counter cycles;
static uint32_t counted_hz;
#endif

/* The core's own word for its clock: CMSIS has a variable, which not every core links. */
#if defined(__arm__)
extern "C" const volatile uint32_t system_core_clock __asm__("SystemCoreClock") __attribute__((weak));
#endif

extern "C" uint32_t port_clock_hz(void)
{
#if defined(ARDUINO_ARCH_ESP32)
    return (uint32_t)getCpuFrequencyMhz() * 1000000u;
#elif defined(TEENSYDUINO)
    return F_CPU_ACTUAL;
#elif defined(ARDUINO_ARCH_RP2040) && !defined(ARDUINO_ARCH_MBED)
    return (uint32_t)rp2040.f_cpu();
#elif defined(__arm__)
    return &system_core_clock != nullptr ? system_core_clock : 0u;
#else
    return 0u;
#endif
}

#ifdef CONFIG_HAS_CYCCNT
/* What the cycle counter really does in a second, by micros(): a clock that a file states may be another board's. */
static void calibrate()
{
    uint32_t begin = (uint32_t)micros();
    const uint32_t edge = begin;
    while (begin == edge) {
        begin = (uint32_t)micros();
    }
    const uint32_t first = DWT_CYCCNT;
    uint32_t now = begin;
    while ((uint32_t)(now - begin) < CALIBRATION_US) {
        now = (uint32_t)micros();
    }
    const uint32_t last = DWT_CYCCNT;
    counted_hz = (uint32_t)((uint64_t)(uint32_t)(last - first) * 1000000u / (uint32_t)(now - begin));
}
#endif

extern "C" uint32_t port_counted_tick_hz(void)
{
#ifdef CONFIG_HAS_CYCCNT
    return counted_hz;
#else
    return 0u; /* the tick is that of micros() itself */
#endif
}

extern "C" void port_init(void)
{
#ifdef CONFIG_ENABLE_MEMORIES
    CONFIG_ENABLE_MEMORIES();
#endif
#if defined(ARDUINO_ARCH_ESP32)
    LINE.setRxBufferSize(PROTOCOL_LINE_BYTES + 64u); /* it drops what its queue of 256 bytes does not hold */
#endif
    LINE.begin(BAUD);
    /* A native USB port comes up when a host opens it; without one the board goes on alone. */
    const uint32_t begin = (uint32_t)millis();
    while (!LINE && (uint32_t)millis() - begin < CABLE_TIMEOUT_MS) {
    }
    last_micros = (uint32_t)micros();
#ifdef CONFIG_HAS_CYCCNT
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_UNLOCK; /* Cortex-M7 locks the unit */
    DWT_CTRL |= 1u;
    calibrate();
    wide_counter_start(&cycles, DWT_CYCCNT, port_timestamp_us());
#endif
#ifdef CONFIG_MARKER_PIN
    pinMode(CONFIG_MARKER_PIN, OUTPUT);
    digitalWrite(CONFIG_MARKER_PIN, LOW);
#endif
#ifdef CONFIG_DETECTION_PIN
    pinMode(CONFIG_DETECTION_PIN, OUTPUT);
    digitalWrite(CONFIG_DETECTION_PIN, LOW);
#endif
#ifdef CONFIG_TIMESTAMP_PIN
    pinMode(CONFIG_TIMESTAMP_PIN, OUTPUT);
    digitalWrite(CONFIG_TIMESTAMP_PIN, HIGH);
#endif
}

extern "C" int port_getc(void)
{
    LINE.flush(); /* what was said is out before the next command is waited for */
    while (LINE.available() <= 0) {
        yield();
    }
    return LINE.read() & 0xff;
}

extern "C" void port_putc(char c)
{
    LINE.write((uint8_t)c);
}

extern "C" uint64_t port_ticks(void)
{
#ifdef CONFIG_HAS_CYCCNT
    const uint32_t reading = DWT_CYCCNT; /* first: the rest is what reading the clock costs, and is subtracted */
    return wide_counter_add(&cycles, reading, port_timestamp_us(), counted_hz);
#else
    return port_timestamp_us();
#endif
}

/* 64 bits as long as it is called once per turn of micros(), 71 minutes. */
extern "C" uint64_t port_timestamp_us(void)
{
    const uint32_t reading = (uint32_t)micros();
    elapsed_us += (uint32_t)(reading - last_micros);
    last_micros = reading;
    return elapsed_us;
}

extern "C" void port_timestamp_edge(void)
{
#ifdef CONFIG_TIMESTAMP_PIN
    digitalWrite(CONFIG_TIMESTAMP_PIN, LOW);
    delayMicroseconds(EDGE_US);
    digitalWrite(CONFIG_TIMESTAMP_PIN, HIGH);
#endif
}

extern "C" void port_detection_edge(void)
{
#ifdef CONFIG_DETECTION_PIN
    digitalWrite(CONFIG_DETECTION_PIN, HIGH);
    delayMicroseconds(EDGE_US);
    digitalWrite(CONFIG_DETECTION_PIN, LOW);
#endif
}

extern "C" void port_marker(int on)
{
#ifdef CONFIG_MARKER_PIN
    digitalWrite(CONFIG_MARKER_PIN, on ? HIGH : LOW);
#else
    (void)on;
#endif
}

extern "C" uint32_t port_stack_size(void)
{
    return 0;
}

extern "C" uint32_t port_stack_used(void)
{
    return 0;
}
