/* fuzz_addr.c - addresses: no text breaks the parser, what it takes can be shown */
#include "common/addr.h"
#include "common/mem.h"
#include "common/net.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
show(const struct addr *addr)
{
    char out[ADDR_TEXT_MAX];

    if (addr->kind == ADDR_IP || addr->kind == ADDR_UNIX) {
        (void)addr_text((const struct sockaddr *)&addr->sa, addr->sa_len, out);
        if (strlen(out) == 0 || strcmp(out, "unknown") == 0)
            abort();
    }
    (void)addr_is_local(addr);
}

/* network - what is read is written so that it reads the same */
static void
network(const char *text)
{
    char out[NET_TEXT_MAX];
    struct net net, again;
    struct why why;

    if (net_parse(text, &net, &why) != ERR_OK)
        return;
    if (net_parse(net_text(&net, out), &again, &why) != ERR_OK ||
        again.bits != net.bits ||
        memcmp(again.addr, net.addr, sizeof(net.addr)) != 0)
        abort();
    (void)net_has(&net, 1, net.addr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_new(size + 1);
    struct addr listen[2], upstream;
    struct why why;
    size_t count, i;

    if (size > 0)
        memcpy(text, data, size);
    if (addr_parse_listen(text, listen, &count, &why) == ERR_OK)
        for (i = 0; i < count; i++)
            show(&listen[i]);
    if (addr_parse_upstream(text, &upstream, &why) == ERR_OK) {
        show(&upstream);
        free(upstream.body);
    }
    (void)addr_is_host(text);
    network(text);
    free(text);
    return 0;
}
