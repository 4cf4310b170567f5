/* SPDX-License-Identifier: Apache-2.0 */
#error "kernels of another vendor"
