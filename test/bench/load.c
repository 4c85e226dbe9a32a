/*
 * load.c - the generator of the benchmark: what it is told
 *
 * usage: load JOB --to ADDRESS:PORT [option value]...
 *   run     connections that ask again and again, for --time seconds
 *   once    every connection once, all begun at once
 *   hold    connections that are opened and then stay; each asks once more
 *   attack  --silent connections that say nothing, --rate bad handshakes per
 *           second
 * At each phase a job prints a word and waits for a line on standard input;
 * the last line of its output is the result, in JSON.
 *
 *   --conns N --warmup S --time S --timeout S --sources N
 *   --talk echo | ask | down | up     what is said, see set_talk()
 *   --bytes N                         of down and up; 0 has no end
 *   --fresh 1                         a connection for each operation
 *   --rest S                          of fresh ones: before the next
 *   --hello 1                         times until the server's first byte
 *   --http 1                          as HTTP/1.1
 *   --plain 1                         no TLS
 *   --cert --key --ca --tls --cipher --groups --name
 *   --certs FILE                      certificates of that key, used in turn
 */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { ASK = 64, REPLY = 1024, BAD_AT_ONCE = 256 };

struct told {
    const char *to, *talk, *bytes, *http, *plain, *fresh;
    const char *conns, *warmup, *time, *timeout, *sources, *silent, *rate,
        *name, *rest, *hello, *certs;
    struct tls_options tls;
};

static const struct {
    const char *name;
    void (*run)(struct load *load);
} jobs[] = {
    { "run", job_run },
    { "once", job_once },
    { "hold", job_hold },
    { "attack", job_attack },
};

static void
usage(const char *what)
{
    fprintf(stderr, "load: %s; the head of load.c has the usage\n", what);
    exit(100);
}

/* tell - put one option's value where it belongs */
static void
tell(struct told *t, const char *name, const char *value)
{
    const struct {
        const char *name, **at;
    } options[] = {
        { "--to", &t->to },
        { "--talk", &t->talk },
        { "--bytes", &t->bytes },
        { "--http", &t->http },
        { "--plain", &t->plain },
        { "--fresh", &t->fresh },
        { "--conns", &t->conns },
        { "--warmup", &t->warmup },
        { "--time", &t->time },
        { "--timeout", &t->timeout },
        { "--sources", &t->sources },
        { "--silent", &t->silent },
        { "--rate", &t->rate },
        { "--name", &t->name },
        { "--rest", &t->rest },
        { "--hello", &t->hello },
        { "--certs", &t->certs },
        { "--cert", &t->tls.cert },
        { "--key", &t->tls.key },
        { "--ca", &t->tls.ca },
        { "--tls", &t->tls.version },
        { "--cipher", &t->tls.cipher },
        { "--groups", &t->tls.groups },
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (strcmp(name, options[i].name) == 0) {
            *options[i].at = value;
            return;
        }
    usage(name);
}

static unsigned
number(const char *text, unsigned otherwise)
{
    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static double
real(const char *text, double otherwise)
{
    return text == NULL ? otherwise : strtod(text, NULL);
}

/* talk_raw - the first line names what the upstream shall do (upstream.c) */
static void
talk_raw(struct talk *talk, const char *what, uint64_t bytes)
{
    unsigned long long n = bytes;

    memset(talk->next, 'q', ASK);
    talk->next_size = ASK;
    talk->answer = bytes == 0 ? UINT64_MAX : bytes;
    if (strcmp(what, "echo") == 0) {
        snprintf(talk->first, sizeof(talk->first), "echo\nq");
        talk->next_size = talk->answer = 1;
    } else if (strcmp(what, "ask") == 0) {
        snprintf(talk->first, sizeof(talk->first), "reply %d %d\n%.*s", ASK,
                 REPLY, ASK, talk->next);
        talk->answer = REPLY;
    } else if (strcmp(what, "down") == 0) {
        snprintf(talk->first, sizeof(talk->first), "source %llu\n", n);
    } else {
        snprintf(talk->first, sizeof(talk->first), "sink %llu\n", n);
        talk->stream = talk->answer;
        talk->answer = 1;
    }
}

static void
talk_http(struct talk *talk, const char *what, uint64_t bytes)
{
    unsigned long long n = strcmp(what, "echo") == 0  ? 1
                           : strcmp(what, "ask") == 0 ? REPLY
                           : bytes == 0               ? 1ULL << 40
                                                      : bytes;

    talk->http = 1;
    if (strcmp(what, "up") != 0) {
        snprintf(talk->first, sizeof(talk->first),
                 "GET /%llu HTTP/1.1\r\nHost: localhost\r\n\r\n", n);
    } else {
        talk->stream = n;
        snprintf(talk->first, sizeof(talk->first),
                 "POST /up HTTP/1.1\r\nHost: localhost\r\n"
                 "Content-Length: %llu\r\n\r\n",
                 n);
    }
    memcpy(talk->next, talk->first, sizeof(talk->next));
    talk->next_size = strlen(talk->next);
}

static void
set_talk(struct talk *talk, const struct told *told)
{
    const char *what = told->talk == NULL ? "echo" : told->talk;
    uint64_t bytes = told->bytes == NULL ? 0 : strtoull(told->bytes, NULL, 10);

    if (strcmp(what, "echo") != 0 && strcmp(what, "ask") != 0 &&
        strcmp(what, "down") != 0 && strcmp(what, "up") != 0)
        usage(what);
    (number(told->http, 0) ? talk_http : talk_raw)(talk, what, bytes);
    talk->first_size = strlen(talk->first);
}

static void
set_load(struct load *load, const struct told *told)
{
    struct tls_options tls = told->tls;

    wire_address(told->to, &load->target);
    set_talk(&load->talk, told);
    load->sources = number(told->sources, 1);
    load->fresh = number(told->fresh, 0) != 0;
    load->silent = number(told->silent, 0);
    load->rate = real(told->rate, 0);
    load->conns = number(told->conns, load->rate > 0 ? BAD_AT_ONCE : 1);
    load->warmup = real(told->warmup, 0);
    load->time = real(told->time, 1);
    load->timeout = real(told->timeout, 60);
    load->rest = real(told->rest, 0);
    load->hello = number(told->hello, 0) != 0;
    load->name = told->name == NULL ? "localhost" : told->name;
    tls.bulk = load->talk.answer == UINT64_MAX;
    if (!number(told->plain, 0))
        load->tls = wire_client(&tls);
    if (told->certs != NULL)
        load->certs = wire_certs(told->certs, &load->cert_count);
    load->poll = epoll_create1(0);
    load->conn = calloc(load->conns, sizeof(*load->conn));
    if (load->poll < 0 || load->conn == NULL)
        usage("no memory or descriptor");
    load->closed = load->conns;
    for (unsigned i = 0; i < load->conns; i++)
        load->conn[i].wire.fd = -1;
}

int
main(int argc, char **argv)
{
    static struct load load;
    struct told told = { 0 };

    if (argc < 2 || argc % 2 != 0)
        usage("an option without a value");
    for (int i = 2; i < argc; i += 2)
        tell(&told, argv[i], argv[i + 1]);
    if (told.to == NULL)
        usage("--to is missing");
    signal(SIGPIPE, SIG_IGN);
    set_load(&load, &told);
    for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
        if (strcmp(argv[1], jobs[i].name) == 0) {
            jobs[i].run(&load);
            return 0;
        }
    usage(argv[1]);
}
