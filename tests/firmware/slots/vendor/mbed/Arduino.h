/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STAND_IN_ARDUINO_H
#define STAND_IN_ARDUINO_H

class HardwareSerial
{
  public:
    virtual void begin(unsigned long baud);
    virtual void flush();
};
extern HardwareSerial &Serial;

#endif
