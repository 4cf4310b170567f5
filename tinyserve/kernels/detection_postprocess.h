/* SPDX-License-Identifier: Apache-2.0 */
/* TFLite_Detection_PostProcess: boxes of an SSD detector decoded, sorted by score, and those that overlap removed. */
#ifndef TS_DETECTION_POSTPROCESS_H
#define TS_DETECTION_POSTPROCESS_H

#include <stdint.h>

#include "common/math.h"

/* encodings [boxes][encoding_size] start with y, x, height, width, as anchors [boxes][4] are; predictions
 * [boxes][predictions], of which the first ``background`` ones are no classes. per_class: suppression for each class
 * by itself (regular), else for each box's best class. */
typedef struct {
    int32_t boxes, encoding_size, predictions, background, max_detections, detections_per_class, per_class;
    float y_scale, x_scale, height_scale, width_scale;
    float score_threshold, overlap_threshold;
} ts_detection_postprocess_params;

typedef struct {
    float y_min, x_min, y_max, x_max;
} ts_detection_box;

static inline ts_detection_box ts_detection_decode(const ts_detection_postprocess_params *p, const float *encoding,
                                                   const float *anchor)
{
    const float y = encoding[0] / p->y_scale * anchor[2] + anchor[0];
    const float x = encoding[1] / p->x_scale * anchor[3] + anchor[1];
    const float half_height = 0.5f * ts_expf(encoding[2] / p->height_scale) * anchor[2];
    const float half_width = 0.5f * ts_expf(encoding[3] / p->width_scale) * anchor[3];
    const ts_detection_box box = {y - half_height, x - half_width, y + half_height, x + half_width};
    return box;
}

static inline float ts_detection_area(ts_detection_box box)
{
    return (box.y_max - box.y_min) * (box.x_max - box.x_min);
}

/* Intersection over union. */
static inline float ts_detection_overlap(ts_detection_box a, ts_detection_box b)
{
    const ts_detection_box both = {a.y_min > b.y_min ? a.y_min : b.y_min, a.x_min > b.x_min ? a.x_min : b.x_min,
                                   a.y_max < b.y_max ? a.y_max : b.y_max, a.x_max < b.x_max ? a.x_max : b.x_max};
    const float area_a = ts_detection_area(a), area_b = ts_detection_area(b);
    if (area_a <= 0.0f || area_b <= 0.0f || both.y_max <= both.y_min || both.x_max <= both.x_min) {
        return 0.0f;
    }
    const float shared = ts_detection_area(both);
    return shared / (area_a + area_b - shared);
}

/* Boxes of high scores that overlap with none of higher score: their numbers in order [boxes], at most limit of them.
 * Equal scores stay in the order of the boxes. */
static inline int32_t ts_detection_suppress(const ts_detection_postprocess_params *p, const ts_detection_box *boxes,
                                            const float *scores, int32_t *order, int32_t limit)
{
    int32_t count = 0, selected = 0;
    for (int32_t i = 0; i < p->boxes; i++) {
        if (scores[i] >= p->score_threshold) {
            int32_t place = count++;
            for (; place > 0 && scores[order[place - 1]] < scores[i]; place--) {
                order[place] = order[place - 1];
            }
            order[place] = i;
        }
    }
    for (int32_t i = 0; i < count && selected < limit; i++) {
        const int32_t box = order[i];
        if (box < 0) {
            continue;
        }
        for (int32_t j = i + 1; j < count; j++) {
            if (order[j] >= 0 && ts_detection_overlap(boxes[box], boxes[order[j]]) > p->overlap_threshold) {
                order[j] = -1;
            }
        }
        order[selected++] = box;
    }
    return selected;
}

typedef struct {
    ts_detection_box *boxes;
    float *classes, *scores;
    int32_t count;
} ts_detection_list;

/* Puts a detection behind those of its score or higher; what exceeds limit falls off. */
static inline void ts_detection_insert(ts_detection_list *list, int32_t limit, ts_detection_box box, float class_index,
                                       float score)
{
    int32_t place = list->count < limit ? list->count++ : limit;
    for (; place > 0 && list->scores[place - 1] < score; place--) {
        if (place < limit) {
            list->boxes[place] = list->boxes[place - 1];
            list->classes[place] = list->classes[place - 1];
            list->scores[place] = list->scores[place - 1];
        }
    }
    if (place < limit) {
        list->boxes[place] = box;
        list->classes[place] = class_index;
        list->scores[place] = score;
    }
}

static inline void ts_detection_of_class(const ts_detection_postprocess_params *p, const float *predictions,
                                         int32_t class_index, const ts_detection_box *boxes, float *scores,
                                         int32_t *order, ts_detection_list *list)
{
    for (int32_t i = 0; i < p->boxes; i++) {
        scores[i] = predictions[i * p->predictions + p->background + class_index];
    }
    const int32_t selected = ts_detection_suppress(p, boxes, scores, order, p->detections_per_class);
    for (int32_t i = 0; i < selected; i++) {
        ts_detection_insert(list, p->max_detections, boxes[order[i]], (float)class_index, scores[order[i]]);
    }
}

static inline int32_t ts_detection_best_class(const ts_detection_postprocess_params *p, const float *predictions)
{
    int32_t best = p->background;
    for (int32_t c = best + 1; c < p->predictions; c++) {
        best = predictions[c] > predictions[best] ? c : best;
    }
    return best - p->background;
}

static inline void ts_detection_of_best(const ts_detection_postprocess_params *p, const float *predictions,
                                        const ts_detection_box *boxes, float *scores, int32_t *order,
                                        ts_detection_list *list)
{
    for (int32_t i = 0; i < p->boxes; i++) {
        const float *row = predictions + i * p->predictions;
        scores[i] = row[p->background + ts_detection_best_class(p, row)];
    }
    const int32_t selected = ts_detection_suppress(p, boxes, scores, order, p->max_detections);
    for (int32_t i = 0; i < selected; i++) {
        const int32_t best = ts_detection_best_class(p, predictions + order[i] * p->predictions);
        ts_detection_insert(list, p->max_detections, boxes[order[i]], (float)best, scores[order[i]]);
    }
}

/* Bytes of scratch. */
#define TS_DETECTION_DECODED_BYTES(boxes) (4 * 4 * (boxes))
#define TS_DETECTION_SCORES_BYTES(boxes) (4 * (boxes))
#define TS_DETECTION_ORDER_BYTES(boxes) (4 * (boxes))

/* Outputs [max_detections]; what is beyond count is zeros. Scratch: decoded [boxes][4], scores and order [boxes]. */
static inline void ts_detection_postprocess(const ts_detection_postprocess_params *p, const float *encodings,
                                            const float *predictions, const float *anchors, float *out_boxes,
                                            float *out_classes, float *out_scores, float *out_count, float *decoded,
                                            float *scores, int32_t *order)
{
    ts_detection_box *const boxes = (ts_detection_box *)(void *)decoded;
    ts_detection_list list = {(ts_detection_box *)(void *)out_boxes, out_classes, out_scores, 0};
    for (int32_t i = 0; i < p->boxes; i++) {
        boxes[i] = ts_detection_decode(p, encodings + i * p->encoding_size, anchors + 4 * i);
    }
    if (p->per_class) {
        for (int32_t c = 0; c < p->predictions - p->background; c++) {
            ts_detection_of_class(p, predictions, c, boxes, scores, order, &list);
        }
    } else {
        ts_detection_of_best(p, predictions, boxes, scores, order, &list);
    }
    *out_count = (float)list.count;
    for (int32_t i = list.count; i < p->max_detections; i++) {
        const ts_detection_box none = {0.0f, 0.0f, 0.0f, 0.0f};
        list.boxes[i] = none;
        out_classes[i] = out_scores[i] = 0.0f;
    }
}

#endif
