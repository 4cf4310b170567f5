/* empty for now */
typedef int soft_float_is_linked;
