#error "tests of the library are not part of it"
