/* version.h - what we are built from, and what this kernel offers */
#ifndef MASTER_VERSION_H
#define MASTER_VERSION_H
#include <stdio.h>

/* version_print - mtlsd -V: our version, wolfSSL's version and options, the
 * libraries, the kernel features found */
void version_print(FILE *out);

/* version_text - our own, "0.1.0" */
const char *version_text(void);
#endif
