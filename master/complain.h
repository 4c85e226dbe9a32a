/* complain.h - words to whoever started us, before there is a log */
#ifndef MASTER_COMPLAIN_H
#define MASTER_COMPLAIN_H

#include <stdbool.h>

/* complain_init - find out where words go: to standard error or, while that may
 * be the socket of a client (inetd(8) makes 0, 1 and 2 the same), to syslog */
void complain_init(void);

/* complain_client - now it is known whether descriptor 0 is a client. If so, a
 * standard error that is its socket is /dev/null from then on; else a socket
 * that is both is whoever started us, and hears us. After fdio_std. */
void complain_client(bool given);

/* complain_muted - is standard error a client's socket? */
bool complain_muted(void);

/* complain - one line, without its newline */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
