/*
 * addr.c - addresses as they are written, and as they are shown
 *
 * Owns the grammar of listen and upstream. Pure: it never resolves a name and
 * never opens a socket; inet_pton(3) is all that it asks of the system.
 */
#include "common/addr.h"
#include "common/mem.h"
#include "common/text.h"
#include "common/words.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define LISTEN_ALLOWED \
    "PORT, IPV4:PORT, [IPV6]:PORT, unix:/path or systemd:NAME"
#define UPSTREAM_ALLOWED                                                 \
    "HOST:PORT, [IPV6]:PORT, tls://HOST:PORT, unix:/path, respond:CODE " \
    "\"text\" or exec:/path"
#define PORT_ALLOWED "a port is a number from 1 to 65535"
#define TLS_PORT     443
#define EXEC         "exec:"
#define PASSED                   \
    "abcdefghijklmnopqrstuvwxyz" \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
    "0123456789._-@"

static bool
starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static enum err
parse_port(const char *text, long least, uint16_t *out, struct why *why)
{
    enum err code;
    long port;

    if ((code = text_long(text, least, 65535, &port)) != ERR_OK)
        return why_set(why, code, PORT_ALLOWED);
    *out = (uint16_t)port;
    return ERR_OK;
}

static void
set_v4(struct addr *addr, struct in_addr ip, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET };

    in.sin_addr = ip;
    in.sin_port = htons(port);
    addr->kind = ADDR_IP;
    addr->port = port;
    memcpy(&addr->sa, &in, sizeof(in));
    addr->sa_len = sizeof(in);
}

static void
set_v6(struct addr *addr, struct in6_addr ip, uint16_t port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    in6.sin6_addr = ip;
    in6.sin6_port = htons(port);
    addr->kind = ADDR_IP;
    addr->port = port;
    memcpy(&addr->sa, &in6, sizeof(in6));
    addr->sa_len = sizeof(in6);
}

/* parse_unix - path is what stands behind `unix:` */
static enum err
parse_unix(const char *path, struct addr *out, struct why *why)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len = strlen(path);

    if (path[0] != '/')
        return why_set(why, ERR_FORMAT, "write unix: and an absolute path");
    if (len >= sizeof(un.sun_path))
        return why_set(why, ERR_RANGE,
                       "a unix socket's path has at most %zu bytes, this one "
                       "has %zu",
                       sizeof(un.sun_path) - 1, len);
    memcpy(un.sun_path, path, len + 1);
    out->kind = ADDR_UNIX;
    memcpy(&out->sa, &un, sizeof(un));
    out->sa_len = sizeof(un);
    return ERR_OK;
}

/* parse_systemd - name is what stands behind `systemd:`; the manager allows more
 * (systemd.socket(5), FileDescriptorName=), but nothing that is of use */
static enum err
parse_systemd(const char *name, struct addr *out, struct why *why)
{
    size_t len = strlen(name);

    if (len == 0 || len >= sizeof(out->host) || strspn(name, PASSED) != len)
        return why_set(why, ERR_FORMAT,
                       "write systemd: and a name of 1 to %zu letters, digits, "
                       "'.', '_', '-', '@'",
                       sizeof(out->host) - 1);
    out->kind = ADDR_SYSTEMD;
    (void)text_copy(out->host, name, sizeof(out->host));
    return ERR_OK;
}

/*
 * split - HOST:PORT or [V6]:PORT into host and *port, the text behind the
 * colon; *port is NULL when there is none. ERR_FORMAT: neither form.
 */
static enum err
split(const char *text, char *host, size_t size, bool *v6, const char **port,
      struct why *why)
{
    const char *end, *from = text;

    *v6 = text[0] == '[';
    if (*v6) {
        from++;
        if ((end = strchr(text, ']')) == NULL)
            return why_set(why, ERR_FORMAT,
                           "the ] behind the IPv6 address "
                           "is missing");
        *port = end[1] == ':' ? end + 2 : NULL;
        if (end[1] != ':' && end[1] != '\0')
            return why_set(why, ERR_FORMAT, "write [IPV6]:PORT");
    } else {
        end = strchr(text, ':');
        *port = end != NULL ? end + 1 : NULL;
        if (end == NULL)
            end = text + strlen(text);
        else if (strchr(end + 1, ':') != NULL)
            return why_set(why, ERR_FORMAT,
                           "an IPv6 address stands in brackets: [IPV6]:PORT");
    }
    if (end == from || (size_t)(end - from) >= size)
        return why_set(why, ERR_FORMAT, "the host is empty or too long");
    memcpy(host, from, (size_t)(end - from));
    host[end - from] = '\0';
    return ERR_OK;
}

/* is_numeric - digits and dots alone: meant as an IPv4 address, never a name */
static bool
is_numeric(const char *host)
{
    return host[strspn(host, "0123456789.")] == '\0';
}

/* is_name - letters, digits, '-', '_' in labels of 1 to 63 between dots, one
 * dot may stand at the end */
static bool
is_name(const char *host)
{
    size_t len = strlen(host), label = 0, i;

    if (len > 253)
        return false;
    for (i = 0; i < len; i++) {
        char c = host[i];

        if (c == '.' ? label == 0 : ++label > 63)
            return false;
        if (c == '.')
            label = 0;
        else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   (c >= '0' && c <= '9') || c == '_' ||
                   (c == '-' && label > 1)))
            return false;
    }
    return len > 0;
}

/* set_ip - host as a numeric address; false: it is none */
static bool
set_ip(struct addr *out, const char *host, bool v6, uint16_t port)
{
    struct in6_addr ip6;
    struct in_addr ip4;

    if (v6) {
        if (inet_pton(AF_INET6, host, &ip6) != 1)
            return false;
        set_v6(out, ip6, port);
    } else {
        if (inet_pton(AF_INET, host, &ip4) != 1)
            return false;
        set_v4(out, ip4, port);
    }
    (void)text_copy(out->host, host, sizeof(out->host));
    return true;
}

/* unknown_scheme - does text start with a word and a colon that no port
 * follows? Then it is a scheme, and none that stands here. */
static bool
unknown_scheme(const char *text)
{
    size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-");

    return word > 0 && text[word] == ':' && text[0] >= 'a' &&
           (text[word + 1] < '0' || text[word + 1] > '9');
}

static enum err
no_scheme(const char *text, const char *allowed, struct why *why)
{
    return why_set(why, ERR_FORMAT,
                   "%.*s is no scheme known here, nor a host with a numeric "
                   "port; allowed are %s",
                   (int)(strchr(text, ':') - text + 1), text, allowed);
}

static enum err
listen_all(const char *text, struct addr out[2], size_t *count, struct why *why)
{
    struct in_addr any = { .s_addr = htonl(INADDR_ANY) };
    uint16_t port = 0;
    enum err code;

    if ((code = parse_port(text, 1, &port, why)) != ERR_OK)
        return code;
    set_v4(&out[0], any, port);
    (void)text_copy(out[0].host, "0.0.0.0", sizeof(out[0].host));
    set_v6(&out[1], in6addr_any, port);
    (void)text_copy(out[1].host, "::", sizeof(out[1].host));
    *count = 2;
    return ERR_OK;
}

static enum err
listen_one(const char *text, struct addr *out, struct why *why)
{
    char host[256];
    const char *port_text = NULL;
    uint16_t port = 0;
    enum err code;
    bool v6 = false;

    if ((code = split(text, host, sizeof(host), &v6, &port_text, why)) !=
        ERR_OK)
        return code;
    if (port_text == NULL)
        return why_set(why, ERR_FORMAT, "the port is missing; allowed are %s",
                       LISTEN_ALLOWED);
    if ((code = parse_port(port_text, 0, &port, why)) != ERR_OK)
        return code;
    if (!v6 && strcmp(host, "localhost") == 0)
        (void)text_copy(host, "127.0.0.1", sizeof(host));
    if (set_ip(out, host, v6, port))
        return ERR_OK;
    if (v6 || is_numeric(host))
        return why_set(why, ERR_FORMAT, "this is no IPv%d address", v6 ? 6 : 4);
    return why_set(why, ERR_FORMAT,
                   "a listener's name is not looked up; allowed are %s",
                   LISTEN_ALLOWED);
}

enum err
addr_parse_listen(const char *text, struct addr out[2], size_t *count,
                  struct why *why)
{
    memset(out, 0, 2 * sizeof(out[0]));
    *count = 0;
    if (text[0] == '\0')
        return why_set(why, ERR_FORMAT, "allowed are %s", LISTEN_ALLOWED);
    if (text[strspn(text, "0123456789")] == '\0')
        return listen_all(text, out, count, why);
    *count = 1;
    if (starts(text, "unix:"))
        return parse_unix(text + 5, &out[0], why);
    if (starts(text, "systemd:"))
        return parse_systemd(text + 8, &out[0], why);
    if (unknown_scheme(text))
        return no_scheme(text, LISTEN_ALLOWED, why);
    return listen_one(text, &out[0], why);
}

/* parse_respond - text stands behind `respond:` */
static enum err
parse_respond(const char *text, struct addr *out, struct why *why)
{
    static const char form[] = "write respond:CODE \"text\" with a code from "
                               "200 to 599";
    const char *body, *end, *at;
    size_t len = strspn(text, "0123456789");
    char code[4];
    long value;

    if (len != 3)
        return why_set(why, ERR_FORMAT, form);
    memcpy(code, text, len);
    code[len] = '\0';
    if (text_long(code, 200, 599, &value) != ERR_OK)
        return why_set(why, ERR_RANGE, form);
    body = text + len + strspn(text + len, " \t");
    if (body == text + len || *body != '"')
        return why_set(why, ERR_FORMAT, form);
    body++;
    if ((end = strchr(body, '"')) == NULL || end[1] != '\0')
        return why_set(why, ERR_FORMAT,
                       "the text behind respond:%s stands in "
                       "one pair of double quotes",
                       code);
    for (at = body; at < end; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return why_set(why, ERR_FORMAT,
                           "the text behind respond:%s holds "
                           "a control byte",
                           code);
    out->kind = ADDR_RESPOND;
    out->code = (int)value;
    out->body = mem_new((size_t)(end - body) + 1);
    memcpy(out->body, body, (size_t)(end - body));
    return ERR_OK;
}

/* parse_exec - text stands behind `exec:` */
static enum err
parse_exec(const char *text, struct addr *out, struct why *why)
{
    struct words words;

    out->kind = ADDR_EXEC;
    return words_split(text, &words, why);
}

const char *
addr_command(const struct addr *addr)
{
    return addr->kind == ADDR_EXEC ? addr->text + strlen(EXEC) : NULL;
}

/* parse_url - somebody wrote https://x: say what to write instead */
static enum err
parse_url(const char *text, struct why *why)
{
    bool tls = starts(text, "https:");
    const char *host = strstr(text, "://") + 3;
    size_t len = strcspn(host, "/");
    char shown[256];
    bool has_port;

    if (len == 0 || len >= sizeof(shown))
        return why_set(why, ERR_FORMAT, "allowed are %s", UPSTREAM_ALLOWED);
    memcpy(shown, host, len);
    shown[len] = '\0';
    has_port = strrchr(shown, ':') != NULL && shown[len - 1] != ']';
    return why_set(why, ERR_FORMAT,
                   "an upstream is an address, not a URL: "
                   "write %s%s%s",
                   tls ? "tls://" : "", shown,
                   has_port ? ""
                   : tls    ? ":443"
                            : ":80");
}

static enum err
upstream_host(const char *text, struct addr *out, struct why *why)
{
    const char *port = NULL;
    enum err code;
    bool v6 = false;

    if ((code = split(text, out->host, sizeof(out->host), &v6, &port, why)) !=
        ERR_OK)
        return code;
    out->port = TLS_PORT;
    if (port == NULL && !out->tls)
        return why_set(why, ERR_FORMAT,
                       is_numeric(text) && strchr(text, '.') == NULL
                           ? "the host is missing: write 127.0.0.1:%s"
                           : "the port is missing: write %s:PORT",
                       text);
    if (port != NULL && (code = parse_port(port, 1, &out->port, why)) != ERR_OK)
        return code;
    if (set_ip(out, out->host, v6, out->port))
        return ERR_OK;
    if (v6 || is_numeric(out->host))
        return why_set(why, ERR_FORMAT, "this is no IPv%d address", v6 ? 6 : 4);
    if (!is_name(out->host))
        return why_set(why, ERR_FORMAT, "this is no host name");
    out->kind = ADDR_NAME;
    return ERR_OK;
}

enum err
addr_parse_upstream(const char *text, struct addr *out, struct why *why)
{
    memset(out, 0, sizeof(*out));
    if (text[0] == '\0')
        return why_set(why, ERR_FORMAT, "allowed are %s", UPSTREAM_ALLOWED);
    if (starts(text, "unix:"))
        return parse_unix(text + 5, out, why);
    if (starts(text, "respond:"))
        return parse_respond(text + 8, out, why);
    if (starts(text, EXEC))
        return parse_exec(text + strlen(EXEC), out, why);
    if (starts(text, "https://") || starts(text, "http://"))
        return parse_url(text, why);
    if (starts(text, "tls://")) {
        out->tls = true;
        text += 6;
    } else if (unknown_scheme(text)) {
        return no_scheme(text, UPSTREAM_ALLOWED, why);
    }
    return upstream_host(text, out, why);
}

bool
addr_is_host(const char *text)
{
    struct in6_addr ip6;
    struct in_addr ip4;

    if (is_numeric(text) || strchr(text, ':') != NULL)
        return inet_pton(AF_INET, text, &ip4) == 1 ||
               inet_pton(AF_INET6, text, &ip6) == 1;
    return is_name(text);
}

static bool
ip_is_loopback(const struct sockaddr_storage *sa)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    if (sa->ss_family == AF_INET) {
        memcpy(&in, sa, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    memcpy(&in6, sa, sizeof(in6));
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return in6.sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

bool
addr_is_local(const struct addr *addr)
{
    switch (addr->kind) {
    case ADDR_UNIX:
    case ADDR_RESPOND:
    case ADDR_EXEC:
        return true;
    case ADDR_NAME:
        return strcmp(addr->host, "localhost") == 0;
    case ADDR_IP:
        return ip_is_loopback(&addr->sa);
    case ADDR_SYSTEMD:
        return false;
    }
    return false;
}

struct addr
addr_of(const struct sockaddr_storage *sa, socklen_t len)
{
    struct addr addr = { .sa = *sa, .sa_len = len };

    addr.kind = sa->ss_family == AF_UNIX ? ADDR_UNIX : ADDR_IP;
    return addr;
}

/* text_unix - the path of a socket: NUL-terminated, abstract, or none */
static void
text_unix(const struct sockaddr *sa, socklen_t len, char *out)
{
    size_t skip = offsetof(struct sockaddr_un, sun_path), n;
    const char *path = (const char *)sa + skip;

    n = len > skip ? len - skip : 0;
    if (n > 0 && path[0] != '\0')
        n = strnlen(path, n);
    if (n == 0) {
        (void)text_copy(out, "unix", ADDR_TEXT_MAX);
        return;
    }
    (void)text_copy(out, "unix:", ADDR_TEXT_MAX);
    (void)text_escape(path, n, out + 5, ADDR_TEXT_MAX - 5);
}

/* ip_text - the address without port and brackets; false: no IP address */
static bool
ip_text(const struct sockaddr *sa, socklen_t len, char *out, socklen_t size,
        bool *v6, uint16_t *port)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    *v6 = false;
    if (sa->sa_family == AF_INET && len >= sizeof(in)) {
        memcpy(&in, sa, sizeof(in));
        *port = ntohs(in.sin_port);
        return inet_ntop(AF_INET, &in.sin_addr, out, size) != NULL;
    }
    if (sa->sa_family != AF_INET6 || len < sizeof(in6))
        return false;
    memcpy(&in6, sa, sizeof(in6));
    *port = ntohs(in6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], out, size) !=
               NULL;
    *v6 = true;
    return inet_ntop(AF_INET6, &in6.sin6_addr, out, size) != NULL;
}

static char *
sa_text(const struct sockaddr *sa, socklen_t len, bool with_port, char *out)
{
    char ip[INET6_ADDRSTRLEN];
    uint16_t port = 0;
    bool v6;

    if (len < sizeof(sa->sa_family))
        (void)text_copy(out, "unknown", ADDR_TEXT_MAX);
    else if (sa->sa_family == AF_UNIX)
        text_unix(sa, len, out);
    else if (!ip_text(sa, len, ip, sizeof(ip), &v6, &port))
        (void)text_copy(out, "unknown", ADDR_TEXT_MAX);
    else if (!with_port)
        (void)text_copy(out, ip, ADDR_TEXT_MAX);
    else
        (void)snprintf(out, ADDR_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", ip,
                       (unsigned)port);
    return out;
}

char *
addr_text(const struct sockaddr *sa, socklen_t len, char *out)
{
    return sa_text(sa, len, true, out);
}

char *
addr_host_text(const struct sockaddr *sa, socklen_t len, char *out)
{
    return sa_text(sa, len, false, out);
}
