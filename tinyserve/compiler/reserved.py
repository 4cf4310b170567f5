# SPDX-License-Identifier: Apache-2.0
"""Names that a model's files and targets must not have, since others have them: NAME.h beside <time.h>."""

from __future__ import annotations

from collections.abc import Mapping

_DEVICES = frozenset(
    ["aux", "con", "nul", "prn", *(f"{kind}{digit}" for kind in ("com", "lpt") for digit in range(1, 10))]
)
"""Of Windows, in every directory and with every ending."""
_HEADERS = {
    "C": """
        assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal
        stdalign stdarg stdatomic stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn
        string tgmath threads time uchar wchar wctype
    """,
    "POSIX": """
        aio aliases alloca ar argp argz byteswap cpio crypt dirent dlfcn elf endian envz err error
        execinfo fcntl features fmtmsg fnmatch fstab fts ftw getopt glob grp iconv ifaddrs langinfo
        lastlog libgen libintl link malloc mcheck memory mntent monetary mqueue ndbm netdb nl_types
        nss obstack paths poll printf proc_service pthread pty pwd re_comp regex regexp resolv sched
        search semaphore sgtty shadow spawn stab strings stropts syscall syslog tar termio termios
        thread_db trace ttyent ucontext ulimit unistd ustat utime utmp utmpx values wait wordexp
    """,
    "Arduino": """
        arduino binary client ethernet eeprom hardwareserial ipaddress pgmspace pins_arduino print
        printable sd server servo softwareserial spi stream udp wifi wire wprogram wstring
    """,
    "FreeRTOS": """
        atomic croutine event_groups freertos list message_buffer mpu_prototypes portable portmacro
        projdefs queue semphr stack_macros stream_buffer task timers
    """,
    "a device's software": "board device kernel sdkconfig",
}
_TARGETS = {
    "CMake": "all clean edit_cache help install package package_source rebuild_cache test uninstall",
    "Zephyr": "app zephyr zephyr_final zephyr_interface zephyr_prebuilt offsets",
    "ESP-IDF": """
        app_trace app_update bootloader bt cmock console cxx driver efuse esp_common esp_system
        espcoredump esptool_py fatfs hal heap http_parser idf_test ieee802154 json log lwip mbedtls
        mqtt newlib nvs_flash openthread partition_table perfmon protobuf_c protocomm riscv sdmmc
        soc spi_flash spiffs tcp_transport touch_element ulp unity usb vfs wear_levelling
        wifi_provisioning wpa_supplicant xtensa
    """,
    "Node.js": """
        assert buffer child_process cluster crypto dgram diagnostics_channel dns domain events fs
        http http2 https inspector module net node_modules os path perf_hooks process punycode
        querystring readline repl sys tls tty url util v8 vm wasi worker_threads zlib
    """,
    "Rust": "alloc core proc_macro std",
}


def hidden_header(name: str) -> str:
    """Whose header NAME.h would hide from the code around it, or why it can't be written, for a message;
    empty where it is one's own."""
    folded = name.casefold()  # Windows and macOS take Time.h for <time.h>
    if folded in _DEVICES:
        return f"{name}.h is a device on Windows, where no file can be called so"
    owner = _owner(_HEADERS, folded)
    return f"its {name}.h would hide the header <{folded}.h> of {owner}" if owner else ""


def why_not(name: str) -> str:
    """Why no library can be called so, for a message; empty where it can."""
    target = _owner(_TARGETS, name)
    return hidden_header(name) or (f"{target} keeps that name for itself" if target else "")


def _owner(reserved: Mapping[str, str], name: str) -> str:
    return next((owner for owner, names in reserved.items() if name in names.split()), "")
