/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_WATCHDOG_H
#define STAND_IN_WATCHDOG_H

#include <stdint.h>

#include <chrono>

namespace mbed
{

class Watchdog
{
  public:
    static Watchdog &get_instance();
    bool start();
    bool start(uint32_t timeout);
    bool start(std::chrono::milliseconds timeout);
    bool stop();
    uint32_t get_timeout() const;
    uint32_t get_max_timeout() const;
    bool is_running() const;
    void kick();
};

} // namespace mbed

#endif
