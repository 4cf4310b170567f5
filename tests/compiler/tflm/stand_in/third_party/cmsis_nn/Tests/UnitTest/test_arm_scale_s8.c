/* SPDX-License-Identifier: Apache-2.0 */
#error "tests of the library are not part of it"
