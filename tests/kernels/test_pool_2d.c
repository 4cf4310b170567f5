/* SPDX-License-Identifier: Apache-2.0 */
/* Pools against their definition: windows are cut at the border, means are rounded away from zero. */
#include <math.h>

#include "check.h"
#include "pool_2d.h"

enum { MOST = 1024 };

static int8_t input[MOST], average[MOST], maximum[MOST];

static void check_pools(void)
{
    const int32_t height = random_between(2, 8), width = random_between(2, 8), channels = random_between(1, 4);
    const int32_t fh = random_between(1, height), fw = random_between(1, width);
    const int32_t stride = random_between(1, 3);
    const int32_t pad_top = random_between(0, fh - 1), pad_left = random_between(0, fw - 1);
    const int32_t oh = (height + pad_top - fh) / stride + 1, ow = (width + pad_left - fw) / stride + 1;
    const ts_pool_2d_params params = {
        .window = {1, height, width, channels, fh, fw, oh, ow, stride, stride, 1, 1, pad_top, pad_left},
        .activation = {-100, 100}};
    fill_random(input, MOST);
    ts_average_pool_2d_s8(&params, input, average);
    ts_max_pool_2d_s8(&params, input, maximum);
    for (int32_t y = 0; y < oh; y++) {
        for (int32_t x = 0; x < ow; x++) {
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = 0, count = 0, most = -128;
                for (int32_t iy = y * stride - pad_top; iy < y * stride - pad_top + fh; iy++) {
                    for (int32_t ix = x * stride - pad_left; ix < x * stride - pad_left + fw; ix++) {
                        if (iy >= 0 && iy < height && ix >= 0 && ix < width) {
                            const int32_t value = input[(iy * width + ix) * channels + c];
                            sum += value;
                            count++;
                            most = value > most ? value : most;
                        }
                    }
                }
                const int32_t at = (y * ow + x) * channels + c;
                CHECK_EQUAL(average[at], fmax(-100, fmin(100, round((double)sum / count))));
                CHECK_EQUAL(maximum[at], fmax(-100, fmin(100, most)));
            }
        }
    }
}

int main(void)
{
    for (int i = 0; i < 500; i++) {
        check_pools();
    }
    return 0;
}
