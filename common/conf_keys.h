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
enum conf_section { CONF_IN_MTLSD, CONF_IN_SERVICE };

enum conf_type {                 /* what the field is */
                 CONF_T_INCLUDE, /* no field: conf.c reads the files */
                 CONF_T_ID,     /* char *: a user's or group's name or number */
                 CONF_T_IDS,    /* struct conf_list of them */
                 CONF_T_OWNER,  /* char *: USER[:GROUP] */
                 CONF_T_CHROOT, /* char *: auto, none, /dir */
                 CONF_T_LOG,    /* char *: stderr, syslog[:FACILITY], path */
                 CONF_T_PATH,   /* char *: made absolute */
                 CONF_T_PATHS,  /* struct conf_list of them */
                 CONF_T_BOOL,   /* bool */
                 CONF_T_LONG,   /* long, within min..max */
                 CONF_T_COUNT,  /* the same, or never, which is 0 */
                 CONF_T_OCTAL,  /* long */
                 CONF_T_TIME,   /* int64_t in ms, within min..max */
                 CONF_T_TIME_NEVER, /* the same, or never, which is CLOCK_NEVER */
                 CONF_T_WORD,       /* long: the number beside the word */
                 CONF_T_LISTEN,     /* struct conf_addrs */
                 CONF_T_UPSTREAM,   /* struct conf_addrs */
                 CONF_T_CIPHERS,    /* char *: TLS 1.2 suites */
                 CONF_T_CIPHERSUITES, /* char *: TLS 1.3 suites */
                 CONF_T_GROUPS,       /* char *: key-exchange groups */
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
    size_t field;       /* offset in conf_global or conf_service */
    const char *preset; /* the default as it would be written; NULL: none */
    int64_t min, max;   /* CONF_T_LONG, _COUNT, _TIME, _TIME_NEVER */
    const struct conf_word *words; /* CONF_T_WORD */
    bool fixed;                    /* a change waits for a restart */
};

/* ends with a row without name; the order is that of -T */
extern const struct conf_key conf_keys[];

/* conf_section_kind - mtlsd, service */
const char *conf_section_kind(enum conf_section section);

/* conf_key_find - NULL when the section has no such key */
const struct conf_key *conf_key_find(enum conf_section section,
                                     const char *name);

/* conf_key_nearest - the key of that section most like name, or NULL */
const char *conf_key_nearest(enum conf_section section, const char *name);
#endif
