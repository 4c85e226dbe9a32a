/* err.h - result codes, and the one sentence that explains a failure */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

/*
 * Every function that can fail returns enum err (ERR_OK is 0) and, where a
 * person could want to know more, fills a struct why. Pure modules and common/
 * never log and never exit.
 */
enum err {
    ERR_OK = 0,
    ERR_AGAIN,     /* nothing now; wait for the descriptor */
    ERR_EOF,       /* orderly end */
    ERR_TIMEOUT,   /* a deadline passed */
    ERR_IO,        /* an end failed; why names it and errno */
    ERR_RESET,     /* the peer reset the connection */
    ERR_TRUNCATED, /* the peer ended without close_notify */
    ERR_STOP,      /* we were told to end this session */
    ERR_RANGE,     /* a number outside its bounds */
    ERR_FORMAT,    /* text or bytes that do not parse */
    ERR_CONF,      /* configuration; exit 96 */
    ERR_FILE,      /* key material or a file; exit 96 */
    ERR_PRIV,      /* privileges or confinement; exit 97 */
    ERR_SYS,       /* a system call; exit 111 */
    ERR_NOMEM,
    ERR_TLS,  /* the TLS library */
    ERR_PEER, /* the peer broke an internal protocol */
};

/* one sentence, no newline, always terminated */
struct why {
    char text[512];
};

/*
 * why_set - format the sentence; returns code so that callers can write
 * `return why_set(why, ERR_RANGE, ...)`. why may be NULL. Cuts what is too long.
 */
enum err why_set(struct why *why, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* why_errno - the same, with ": " and strerror(errno) behind; keeps errno */
enum err why_errno(struct why *why, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* it reads one file and cannot see what they return */
#define why_set(why, code, ...) ((void)why_set(why, code, __VA_ARGS__), (code))
#define why_errno(why, code, ...) \
    ((void)why_errno(why, code, __VA_ARGS__), (code))
#endif

/* exit codes, mtlsd(8) */
enum exit_code {
    EXIT_OK = 0,
    EXIT_CONF = 96,    /* configuration or key material */
    EXIT_CONFINE = 97, /* confinement failed */
    EXIT_TLS = 98,     /* TLS failed (inetd and connect modes) */
    EXIT_USAGE = 100,
    EXIT_SYS = 111, /* system call, or a lost helper process */
};

/* err_exit - the exit code for an error that ends a process */
int err_exit(enum err code);

#endif
