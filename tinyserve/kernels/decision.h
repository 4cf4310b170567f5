/* SPDX-License-Identifier: Apache-2.0 */
/* FeatureDecision: when scores over time are an event. */
#ifndef TS_DECISION_H
#define TS_DECISION_H

#include <stdint.h>

#define TS_NO_CLASS (-1)

/* smoothing: inferences that are averaged; hold: how many of the last within must agree, consecutive ones where both
 * are equal; refractory: ones without an event after an event. */
typedef struct {
    int32_t classes, smoothing, hold, within, refractory;
    float enter, leave, margin;
} ts_decision_params;

/* What lives across inferences, beside the scores. Zeros at first: classes count from 1 here, 0 is none. */
enum {
    TS_DECISION_FILLED,
    TS_DECISION_NEXT,
    TS_DECISION_ACTIVE,
    TS_DECISION_CANDIDATE,
    TS_DECISION_HELD,
    TS_DECISION_QUIET,
    TS_DECISION_VOTE, /* where in votes the next one goes */
    TS_DECISION_STATE
};

/* The mean of a class's scores, in the order of their places. */
static inline float ts_decision_mean(const ts_decision_params *p, const float *scores, int32_t filled, int32_t c)
{
    float sum = 0.0f;
    for (int32_t i = 0; i < filled; i++) {
        sum += scores[i * p->classes + c];
    }
    return sum / (float)filled;
}

/* The class that is high enough, and far enough above all others, or none; ignored classes compete but never win. */
static inline int32_t ts_decision_candidate(const ts_decision_params *p, const float *scores, int32_t filled,
                                            const int32_t *ignored)
{
    int32_t best = 0;
    float highest = ts_decision_mean(p, scores, filled, 0), second = 0.0f;
    for (int32_t c = 1; c < p->classes; c++) {
        const float mean = ts_decision_mean(p, scores, filled, c);
        if (mean > highest) {
            second = highest;
            highest = mean;
            best = c;
        } else if (c == 1 || mean > second) {
            second = mean;
        }
    }
    const int far = p->classes == 1 || highest - second >= p->margin;
    return highest >= p->enter && far && !ignored[best] ? best : TS_NO_CLASS;
}

/* Keeps how many inferences in a row had this candidate, hold at most. */
static inline int32_t ts_decision_in_a_row(const ts_decision_params *p, int32_t candidate, int32_t *state)
{
    const int32_t again = candidate + 1 == state[TS_DECISION_CANDIDATE] ? state[TS_DECISION_HELD] + 1 : 1;
    state[TS_DECISION_HELD] = again < p->hold ? again : p->hold;
    state[TS_DECISION_CANDIDATE] = candidate + 1;
    return state[TS_DECISION_HELD];
}

/* Keeps the candidate among the votes; how many of them are for it. */
static inline int32_t ts_decision_votes(const ts_decision_params *p, int32_t candidate, int32_t *state, int32_t *votes)
{
    votes[state[TS_DECISION_VOTE]] = candidate + 1;
    state[TS_DECISION_VOTE] = state[TS_DECISION_VOTE] + 1 == p->within ? 0 : state[TS_DECISION_VOTE] + 1;
    int32_t count = 0;
    for (int32_t i = 0; i < p->within; i++) {
        count += votes[i] == candidate + 1;
    }
    return count;
}

/* input [classes] to output [event, active class], -1 for none. State: scores [smoothing][classes], state
 * [TS_DECISION_STATE], and votes [within] where within is above hold. */
static inline void ts_decision(const ts_decision_params *p, const float *input, const int32_t *ignored, int32_t *output,
                               float *scores, int32_t *state, int32_t *votes)
{
    for (int32_t c = 0; c < p->classes; c++) {
        scores[state[TS_DECISION_NEXT] * p->classes + c] = input[c];
    }
    state[TS_DECISION_NEXT] = state[TS_DECISION_NEXT] + 1 == p->smoothing ? 0 : state[TS_DECISION_NEXT] + 1;
    if (state[TS_DECISION_FILLED] < p->smoothing) {
        state[TS_DECISION_FILLED]++;
    }
    const int32_t filled = state[TS_DECISION_FILLED];
    int32_t active = state[TS_DECISION_ACTIVE] - 1;
    if (active >= 0 && ts_decision_mean(p, scores, filled, active) < p->leave) {
        active = TS_NO_CLASS;
    }
    const int32_t candidate = ts_decision_candidate(p, scores, filled, ignored);
    const int32_t agree =
        p->within > p->hold ? ts_decision_votes(p, candidate, state, votes) : ts_decision_in_a_row(p, candidate, state);
    int32_t event = TS_NO_CLASS;
    if (state[TS_DECISION_QUIET] > 0) {
        state[TS_DECISION_QUIET]--;
    } else if (candidate >= 0 && candidate != active && agree >= p->hold) {
        event = active = candidate;
        state[TS_DECISION_QUIET] = p->refractory;
    }
    state[TS_DECISION_ACTIVE] = active + 1;
    output[0] = event;
    output[1] = active;
}

#endif
