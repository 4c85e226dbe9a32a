/* conf.h - the configuration: one INI file, read once, checked whole */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H
#include "common/addr.h"
#include "common/err.h"
#include "common/log.h"
#include "common/net.h"
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

struct conf_nets {
    size_t count;
    struct net *item;
};

struct conf_share { /* of a service's workers */
    long number;
    bool percent;
};

struct conf_rate { /* count in per_ms; count 0: none */
    long count;
    int64_t per_ms;
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
enum conf_protocol { CONF_PROTOCOL_TCP, CONF_PROTOCOL_HTTP };
enum conf_policy { CONF_POLICY_ORDER, CONF_POLICY_ROBIN };
enum conf_end { CONF_END_NEVER, CONF_END_CERTIFICATE };
enum conf_crl_scope { CONF_CRL_LEAF, CONF_CRL_CHAIN };
enum conf_crl_missing { CONF_CRL_REFUSE, CONF_CRL_ADMIT };
enum conf_version { CONF_TLS_12 = 2, CONF_TLS_13 = 3 };

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
    int64_t inetd_timeout; /* CLOCK_NEVER: never */
    bool watch;            /* look at the configured paths every second */
};

/* the words that both sides take: cert and upstream_cert, and so on */
struct conf_tls {
    struct conf_list cert; /* absolute paths; */
    struct conf_list key;  /* pairs are found by public key */
    char *ca;
    struct conf_list crl;
    long crl_scope;   /* enum conf_crl_scope */
    long crl_missing; /* enum conf_crl_missing */
    long verify;      /* enum conf_verify; upstream: require or none */
    long verify_depth;
    bool unsafe_x509v1;
    long min, max;      /* enum conf_version */
    char *ciphers;      /* TLS 1.2 names, colon-separated, expanded */
    char *ciphersuites; /* TLS 1.3 names */
    char *groups;
    struct conf_list alpn; /* preferred first; empty: none is offered */
};

struct conf_header { /* header.NAME = text with $variables (protocol = http) */
    char *name;      /* as written */
    char *value;     /* "": the header is removed */
};

/* where requests go: the service's own words, or a [route NAME] */
struct conf_route {
    char name[CONF_NAME_MAX + 1]; /* "" for the service's own */
    const char *file;
    unsigned line;
    char *path; /* longest whole-segment prefix wins; NULL: the service's own */
    struct conf_addrs upstream; /* none: 404 (http) */
    bool tls;                   /* tls:// upstreams; all or none of a list */
    long policy;                /* enum conf_policy */
    char *upstream_name;        /* verified and sent as SNI; NULL: the host */
    struct conf_tls side;
    size_t header_count; /* its own, then the service's that it does not set */
    struct conf_header *header;
};

/* how a program runs (upstream = exec:) */
struct conf_exec {
    char *user;  /* NULL: not given; required as root */
    char *group; /* NULL: the user's primary group */
    char *dir;
    int64_t kill_timeout; /* ms, from the end of its session to SIGTERM */
    long files;           /* RLIMIT_NOFILE; the next two: 0 is none */
    long memory;          /* RLIMIT_AS, bytes */
    long processes;       /* RLIMIT_NPROC */
    int64_t cpu;          /* RLIMIT_CPU, ms; 0: none */
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
    struct conf_nets from;          /* none: anybody */
    struct conf_nets priority_from; /* no limit below holds for them */
    long protocol;                  /* enum conf_protocol */
    bool listen_tls;
    struct conf_tls client;
    bool sni_strict;
    long workers_min; /* of a generation; then workers_max: CONF_T_RANGE */
    long workers_max;
    long workers_spare; /* kept free; at most workers_max */
    long max_use;       /* connections per worker; 0: never retires */
    struct conf_share max_handshaking;
    long per_source; /* connections at a time; 0: any number */
    long per_source_handshaking;
    struct conf_rate per_source_rate;
    int64_t per_source_penalty; /* ms; 0: none */
    struct net_mask per_source_mask;
    int64_t dead_peer_timeout;
    int64_t handshake_timeout; /* ms; CLOCK_NEVER where never is allowed */
    int64_t connect_timeout;
    int64_t idle_timeout;
    int64_t session_timeout; /* from the verdict on */
    long session_end;        /* enum conf_end */
    int64_t close_timeout;
    int64_t head_timeout;      /* http: a request's head, from its first byte */
    int64_t body_timeout;      /* http: between two reads of a body */
    int64_t keepalive_timeout; /* http: between requests */
    long head_max;             /* bytes */
    long headers_max;
    struct conf_exec exec;
    bool unsafe_plaintext;
    size_t route_count;       /* at least 1 */
    struct conf_route *route; /* [0] the service's own, then its [route]s */
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
/*
 * conf_load_only - the same for a process whose clients come from elsewhere
 * (mtlsd -i, -c): no service needs a listen, and of the services the named one
 * alone is kept, with its routes and without its listen.
 * program  the words of a command that is the service's upstream, whatever the
 *          file says (words.h); NULL: the file's.
 * ERR_CONF also when there is no such service.
 */
enum err conf_load_only(const char *path, const char *service,
                        char *const *program, struct conf **out,
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

/* conf_command - the program that serves its clients, as written behind exec:;
 * NULL: it has an upstream, an answer, or routes */
const char *conf_command(const struct conf_service *service);

/* conf_workers_max - the most workers that the service may have */
long conf_workers_max(const struct conf_service *service);

/* conf_handshaking_max - how many of them may serve clients that are not
 * verified yet; at least 1 */
long conf_handshaking_max(const struct conf_service *service);

/* conf_service_find - by name, NULL when there is none */
const struct conf_service *conf_service_find(const struct conf *conf,
                                             const char *name);
#endif
