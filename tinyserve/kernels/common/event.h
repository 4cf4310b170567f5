/* SPDX-License-Identifier: Apache-2.0 */
/* What happened in an inference; the same type for all models, each of whose headers has it. */
#ifndef TS_EVENT
#define TS_EVENT

#include <stdint.h>

typedef struct {
    void *model;           /* the context; NULL where the model's is static */
    const char *name;      /* of the event */
    uint32_t source;       /* its number: TS_..._EVENT_... */
    int32_t class_number;  /* what happened */
    uint32_t inference;    /* in which one since the last reset, from 0 */
    uint64_t sample;       /* how many samples had been taken when it was known */
    uint32_t first_output; /* outputs that belong to it, to be read in the callback: from this one on */
    uint32_t output_count; /* so many */
} ts_event;

typedef void (*ts_event_callback)(const ts_event *event);

#endif
