/* SPDX-License-Identifier: Apache-2.0 */
/* SignalEnergy by dual products: Armv7E-M with DSP and later. Equals ts_energy. */
#ifndef TS_DSP_FILTER_BANK_H
#define TS_DSP_FILTER_BANK_H

#include "../filter_bank.h"
#include "pairs.h"

static inline void ts_dsp_energy(const ts_energy_params *p, const int16_t *input, uint32_t *output)
{
    const ts_dsp_pair *const pairs = (const ts_dsp_pair *)(const void *)input;
    int32_t i = 0;
    for (; i < p->start; i++) {
        output[i] = 0;
    }
    for (; i < p->end; i++) {
        output[i] = ts_dsp_smuad(pairs[i], pairs[i]);
    }
    for (; i < p->count; i++) {
        output[i] = 0;
    }
}

#endif
