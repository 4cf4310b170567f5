/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_TICKER_H
#define STAND_IN_TICKER_H

#include <chrono>

namespace mbed
{

template <typename F> class Callback;

template <typename R, typename... Arguments> class Callback<R(Arguments...)>
{
  public:
    Callback(R (*func)(Arguments...)) : _func(func)
    {
    }

    R (*function() const)(Arguments...) /* the stand-in's own */
    {
        return _func;
    }

  private:
    R (*_func)(Arguments...);
};

class TickerBase
{
  public:
    template <typename F> void attach(F &&func, float t); /* deprecated: seconds */
    void attach(Callback<void()> func, std::chrono::microseconds t);
    void detach();
};

class Ticker : public TickerBase
{
  public:
    Ticker();
};

} // namespace mbed

#endif
