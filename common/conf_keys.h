/* conf_keys.h - the one table of sections and keys */
#ifndef COMMON_CONF_KEYS_H
#define COMMON_CONF_KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Everything that knows about a key reads its row: the conversion, the checks
 * of a reload, -T, the tests that compare manual page and default file. A key
 * enters the table when what it does works.
 */
enum conf_section {
    CONF_IN_MTLSD,
    CONF_IN_SERVICE,
    CONF_IN_ROUTE, /* [route NAME] alone */
    CONF_IN_BOTH,  /* [service NAME], for its own route, and [route NAME] */
};

/* what else must be so for a key to have a meaning: a key that is given without
 * it is an error, and -T leaves it out */
enum conf_need {
    CONF_NEED_NOTHING,
    CONF_NEED_TLS,          /* listen_tls = yes */
    CONF_NEED_HTTP,         /* protocol = http */
    CONF_NEED_UPSTREAM_TLS, /* an upstream that begins with tls:// */
    CONF_NEED_EXEC,         /* one that begins with exec: */
};

enum conf_type {                 /* what the field is */
                 CONF_T_INCLUDE, /* no field: conf.c reads the files */
                 CONF_T_SERVICE, /* no field: conf_route.c finds the service */
                 CONF_T_ID,     /* char *: a user's or group's name or number */
                 CONF_T_IDS,    /* struct conf_list of them */
                 CONF_T_OWNER,  /* char *: USER[:GROUP] */
                 CONF_T_CHROOT, /* char *: auto, none, /dir */
                 CONF_T_LOG,    /* char *: stderr, syslog[:FACILITY], path */
                 CONF_T_PATH,   /* char *: made absolute */
                 CONF_T_PATHS, /* struct conf_list of them, min..max (0: any) */
                 CONF_T_BOOL,  /* bool */
                 CONF_T_LONG,  /* long, within min..max */
                 CONF_T_COUNT, /* the same, or never, which is 0 */
                 CONF_T_RANGE, /* two longs in a row: MIN-MAX, or N for both */
                 CONF_T_SIZE,  /* long: bytes, with a unit k m g */
                 CONF_T_SIZE_NONE, /* the same, or none, which is 0 */
                 CONF_T_OCTAL,     /* long */
                 CONF_T_TIME,      /* int64_t in ms, within min..max */
                 CONF_T_TIME_NEVER, /* the same, or never, which is CLOCK_NEVER */
                 CONF_T_TIME_NONE, /* the same, or none, which is 0 */
                 CONF_T_LIMIT, /* long, within min..max, or none, which is 0 */
                 CONF_T_SHARE, /* struct conf_share: a count, or a percentage */
                 CONF_T_RATE,  /* struct conf_rate: N/s, N/m, N/h, or none */
                 CONF_T_MASK,  /* struct net_mask: IPv4/IPv6 */
                 CONF_T_NETS,  /* struct conf_nets */
                 CONF_T_WORD,  /* long: the number beside the word */
                 CONF_T_LISTEN,   /* struct conf_addrs */
                 CONF_T_UPSTREAM, /* struct conf_addrs */
                 CONF_T_HOST, /* char *: a name or an address, without port */
                 CONF_T_CIPHERS,      /* char *: TLS 1.2 suites */
                 CONF_T_CIPHERSUITES, /* char *: TLS 1.3 suites */
                 CONF_T_GROUPS,       /* char *: key-exchange groups */
                 CONF_T_ALPN,         /* struct conf_list: protocol names */
                 CONF_T_URL_PATH, /* char *: what a request's path begins with */
                 CONF_T_HEADER, /* headers of the struct conf_route; one key each */
};

struct conf_word { /* ends with a row without word; the first row of a number
                    * has the word that is printed */
    const char *word;
    long number;
};

struct conf_key {
    enum conf_section section;
    const char *name;
    enum conf_type type;
    size_t field;       /* offset in conf_global, conf_service, conf_route */
    const char *preset; /* the default as it would be written; NULL: none */
    int64_t min, max;   /* numbers, sizes, times; how many CONF_T_PATHS */
    const struct conf_word *words; /* CONF_T_WORD */
    bool fixed;                    /* a change waits for a restart */
    enum conf_need need;
};

/* ends with a row without name; the order is that of -T */
extern const struct conf_key conf_keys[];

/* the row's name of header.NAME: every key that begins like it is meant */
#define CONF_HEADER_KEY    "header.NAME"
#define CONF_HEADER_PREFIX "header."

/* conf_section_kind - mtlsd, service, route */
const char *conf_section_kind(enum conf_section section);

/* conf_key_in - does the key stand in that kind of section? section is not
 * CONF_IN_BOTH */
bool conf_key_in(const struct conf_key *key, enum conf_section section);

/* conf_key_find - NULL when the section has no such key */
const struct conf_key *conf_key_find(enum conf_section section,
                                     const char *name);

/* conf_key_nearest - the key of that section most like name, or NULL */
const char *conf_key_nearest(enum conf_section section, const char *name);
#endif
