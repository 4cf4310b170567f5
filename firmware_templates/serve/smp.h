/* SPDX-License-Identifier: Apache-2.0 */
/* The Simple Management Protocol of MCUboot and Zephyr: groups OS, image and statistics as theirs, and one of our own.
 */
#ifndef TS_SMP_H
#define TS_SMP_H

#include <stdint.h>

#include "cbor.h"
#include "event.h"

enum { SMP_GROUP_OS = 0, SMP_GROUP_IMAGE = 1, SMP_GROUP_STATISTICS = 2, SMP_GROUP_MODEL = 64 };

/* Of every group. */
enum {
    SMP_OK = 0,
    SMP_UNKNOWN = 1,
    SMP_INVALID = 3,
    SMP_NO_ENTRY = 5,
    SMP_BAD_STATE = 6,
    SMP_TOO_LONG = 7,
    SMP_NOT_SUPPORTED = 8,
    SMP_ACCESS_DENIED = 11
};

/* A request, and where its answer goes. */
typedef struct {
    int is_write;
    uint8_t version; /* 0 or 1 */
    uint16_t group;
    uint8_t command;
    const uint8_t *body; /* CBOR */
    uint32_t body_bytes;
    cbor_out out;
} smp_request;

/* Each handler writes pairs into the answer's map and returns SMP_OK, or one of the codes above; or it calls smp_fail
 * and returns SMP_OK. */
int smp_os(smp_request *request);
int smp_image(smp_request *request);
int smp_statistics(smp_request *request);
int smp_model(smp_request *request);
int smp_line(smp_request *request); /* commands of group 64 that smp_model has not */

/* Whether a request is answered on a line that is closed. */
int smp_line_is_public(const smp_request *request);

/* An error of the group's own, as protocol version 2 has it; `plain` is what version 1 says. */
void smp_fail(smp_request *request, uint32_t code, uint32_t plain);

cbor_value smp_argument(const smp_request *request, const char *key);
uint32_t smp_number(const smp_request *request, const char *key, uint32_t otherwise);

/* The active slot has changed: its model is served, inputs and results are gone. */
void smp_model_changed(void);

/* Something happened in an inference, whoever asked for it. */
void smp_model_event(const ts_event *event);

/* A reset that was asked for comes after the answer. */
void smp_reset_afterwards(void);

#endif
