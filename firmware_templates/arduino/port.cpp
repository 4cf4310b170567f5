/* Port of an Arduino core: its Serial, its micros(), and the core's own cycle counter where there is one. */
#include <Arduino.h>

#include "config.h"
#include "port.h"

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

static uint32_t last_reading;
static uint64_t elapsed;
static uint32_t last_micros;
static uint64_t elapsed_us;

static uint32_t read_clock()
{
#ifdef CONFIG_HAS_CYCCNT
    return DWT_CYCCNT;
#else
    return (uint32_t)micros();
#endif
}

extern "C" void port_init(void)
{
    Serial.begin(BAUD);
    /* A native USB port comes up when a host opens it; without one the board goes on alone. */
    const uint32_t begin = (uint32_t)millis();
    while (!Serial && (uint32_t)millis() - begin < CABLE_TIMEOUT_MS) {
    }
#ifdef CONFIG_HAS_CYCCNT
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_UNLOCK; /* Cortex-M7 locks the unit */
    DWT_CTRL |= 1u;
#endif
#ifdef CONFIG_MARKER_PIN
    pinMode(CONFIG_MARKER_PIN, OUTPUT);
    digitalWrite(CONFIG_MARKER_PIN, LOW);
#endif
#ifdef CONFIG_TIMESTAMP_PIN
    pinMode(CONFIG_TIMESTAMP_PIN, OUTPUT);
    digitalWrite(CONFIG_TIMESTAMP_PIN, HIGH);
#endif
    last_reading = read_clock();
    last_micros = (uint32_t)micros();
}

extern "C" int port_getc(void)
{
    Serial.flush(); /* what was said is out before the next command is waited for */
    while (Serial.available() <= 0) {
        yield();
    }
    return Serial.read() & 0xff;
}

extern "C" void port_putc(char c)
{
    Serial.write((uint8_t)c);
}

/* 64 bits as long as it is called once per turn of the 32-bit counter (7 s of cycles at 600 MHz). */
extern "C" uint64_t port_ticks(void)
{
    const uint32_t reading = read_clock();
    elapsed += (uint32_t)(reading - last_reading);
    last_reading = reading;
    return elapsed;
}

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
