#error "kernels of another vendor"
