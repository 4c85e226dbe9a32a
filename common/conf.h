/* conf.h - the configuration: one INI file, read once, checked whole */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H
#include "common/addr.h"
#include "common/err.h"
#include "common/log.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_NAME_MAX 32 /* service names, without the NUL */

struct conf_list { /* a list of texts */
    size_t count;
    char **item;
};

struct conf_addrs {
    size_t count;
    struct addr *item;
};

enum conf_verify {
    CONF_VERIFY_REQUIRE,
    CONF_VERIFY_OPTIONAL,
    CONF_VERIFY_NONE
};
enum conf_confine {
    CONF_CONFINE_AUTO,
    CONF_CONFINE_STRICT,
    CONF_CONFINE_DEGRADE
};
enum conf_protocol { CONF_PROTOCOL_TCP };
enum conf_tls { CONF_TLS_12 = 2, CONF_TLS_13 = 3 };

/* [mtlsd] */
struct conf_global {
    char *user;              /* name or number; NULL: not given */
    char *group;             /* NULL: the user's primary group */
    struct conf_list groups; /* supplementary, of the master alone */
    char *chroot;            /* "auto", "none" or an absolute directory */
    char *log;               /* "stderr", "syslog", "syslog:FACILITY", /path */
    long log_level;          /* enum log_level */
    long log_format;         /* enum log_format */
    char *pid_file;          /* absolute path or NULL */
    long confine;            /* enum conf_confine */
    struct conf_list reader_dirs; /* absolute */
    bool unsafe_reader;
    long keepers;          /* 0: number of CPUs */
    int64_t drain_timeout; /* ms */
    int64_t reload_retry;
    int64_t resolve_interval;
};

/* one [service NAME] */
struct conf_service {
    char name[CONF_NAME_MAX + 1];
    const char *file; /* where the section stands */
    unsigned line;
    struct conf_addrs listen;
    long listen_mode;   /* of unix sockets: 0600 */
    char *listen_owner; /* USER[:GROUP], NULL: the daemon's */
    long backlog;
    long protocol; /* enum conf_protocol */
    char *cert;    /* absolute paths */
    char *key;
    char *ca;
    long verify;           /* enum conf_verify */
    long verify_depth;     /* intermediates */
    long tls_min, tls_max; /* enum conf_tls */
    char *ciphers;         /* TLS 1.2 names, colon-separated, checked */
    char *ciphersuites;    /* TLS 1.3 names */
    char *groups;          /* key-exchange groups, preferred first */
    long workers;
    long max_use;              /* connections per worker; 0: never retires */
    int64_t handshake_timeout; /* ms; CLOCK_NEVER where never is allowed */
    int64_t connect_timeout;
    int64_t idle_timeout;
    int64_t close_timeout;
    struct conf_addrs upstream;
    bool unsafe_plaintext;
};

struct conf {
    char *path;             /* absolute path of the file */
    char *dir;              /* its directory: where relative paths start */
    struct conf_list files; /* every file read: path first, then includes, then
                             * list files (@FILE) */
    struct conf_global global;
    size_t service_count;
    struct conf_service *service;
};

/* errors are collected, not only the first shown */
struct conf_errors {
    size_t count;
    char **text; /* "FILE:LINE: sentence", in file order */
};

/*
 * conf_load - read path and its includes, check everything
 * path    the file as given; relative to the working directory.
 * out     a new configuration; the caller frees it with conf_free.
 * errors  all that is wrong; the caller frees with conf_errors_free. Empty
 *         when ERR_OK.
 * Reads files of the configuration alone; never opens keys or certificates.
 * ERR_OK; ERR_CONF: *out is NULL and errors holds at least one.
 */
enum err conf_load(const char *path, struct conf **out,
                   struct conf_errors *errors);
void conf_free(struct conf *conf);
void conf_errors_free(struct conf_errors *errors);

/* conf_print - the effective configuration, defaults included, as a file that
 * conf_load reads back to the same (mtlsd -T) */
void conf_print(const struct conf *conf, FILE *out);

/*
 * conf_fixed_changes - what differs between two readings and needs a restart:
 * calls tell once for each with a sentence such as
 * "listen of [service web]". Order as in the table.
 */
void conf_fixed_changes(const struct conf *running, const struct conf *fresh,
                        void (*tell)(void *ctx, const char *what), void *ctx);

/* conf_service_find - by name, NULL when there is none */
const struct conf_service *conf_service_find(const struct conf *conf,
                                             const char *name);
#endif
