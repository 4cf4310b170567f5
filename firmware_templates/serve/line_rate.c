/* SPDX-License-Identifier: Apache-2.0 */
#include "line_rate.h"

#include "config.h"
#include "slots_port.h"

#define LEAST_RATE 9600u
#define MOST_NONSENSE 12u /* bytes that no host sends: a request at the wrong rate has more */

static uint32_t now = CONFIG_BAUD;
static uint32_t wanted = CONFIG_BAUD;
static uint32_t nonsense;

uint32_t line_rate(void)
{
    return now;
}

int line_rate_is_known(uint32_t rate)
{
    return rate >= LEAST_RATE && rate <= CONFIG_MOST_BAUD;
}

static void take(uint32_t rate)
{
    nonsense = 0;
    if (rate != now && port_baud(rate) == 0) {
        now = rate;
    }
    wanted = now;
}

void line_rate_afterwards(uint32_t rate)
{
    wanted = rate;
}

void line_rate_sent(void)
{
    take(wanted);
}

static int makes_sense(uint8_t c)
{
    /* Text, line ends, and the characters that frames begin with. */
    return (c >= ' ' && c <= '~') || c == '\r' || c == '\n' || c == '\t' || c == 0x06u || c == 0x04u || c == 0x14u;
}

void line_rate_received(uint8_t c)
{
    if (now == CONFIG_BAUD || makes_sense(c)) {
        return;
    }
    if (++nonsense > MOST_NONSENSE) {
        take(CONFIG_BAUD);
    }
}

void line_rate_proved(void)
{
    nonsense = 0;
}
