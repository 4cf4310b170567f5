/* SPDX-License-Identifier: Apache-2.0 */
/* TFLM's front end over frames of sound.h. */
#include "sound.h"
#include "tensorflow/lite/experimental/microfrontend/lib/frontend.h"
#include "tensorflow/lite/experimental/microfrontend/lib/frontend_util.h"
#include <stdlib.h>
static uint8_t heap[65536];
static uint32_t used;
extern "C" void *malloc(size_t bytes)
{
    void *at = heap + used;
    used += (bytes + 15u) & ~15u;
    return at;
}
extern "C" void *calloc(size_t count, size_t bytes)
{
    return malloc(count * bytes);
} // the heap is zeros
extern "C" void free(void *)
{
}
static struct FrontendConfig config;
static struct FrontendState state;
static uint32_t next;
extern "C" int setup(void)
{
    FrontendFillConfigWithDefaults(&config);
    config.window.size_ms = 30;
    config.window.step_size_ms = 10;
    config.filterbank.num_channels = 40;
    config.filterbank.lower_band_limit = 125.0f;
    config.filterbank.upper_band_limit = 7500.0f;
    config.pcan_gain_control.enable_pcan = 1;
    config.log_scale.enable_log = 1;
    return FrontendPopulateState(&config, &state, 16000);
}
extern "C" int run(void)
{
    size_t taken = 0;
    const struct FrontendOutput out = FrontendProcessSamples(&state, sound + next, 160, &taken);
    next += 160;
    return (int)out.size;
}
