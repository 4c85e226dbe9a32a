/* complain.h - words to whoever started us, before there is a log */
#ifndef MASTER_COMPLAIN_H
#define MASTER_COMPLAIN_H

/* complain_init - find out where words go: to standard error or, when that is
 * the socket of a client (inetd(8) makes 0, 1 and 2 the same), to syslog. Such
 * a standard error is /dev/null from then on. After fdio_std. */
void complain_init(void);

/* complain_muted - was it the client's socket? */
int complain_muted(void);

/* complain - one line, without its newline */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
