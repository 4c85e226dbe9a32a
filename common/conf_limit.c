/*
 * conf_limit.c - values that are limits, and networks
 *
 * Owns shares, rates, prefix lengths and lists of networks: read, written and
 * what they come to.
 */
#include "common/conf_convert.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

#define SECOND_MS INT64_C(1000)

static const struct {
    const char *unit;
    int64_t ms;
} units[] = {
    { "s", SECOND_MS },
    { "m", 60 * SECOND_MS },
    { "h", 3600 * SECOND_MS },
};

/* head_long - the number in front of the character at end; false: none within
 * min..max */
static bool
head_long(const char *text, const char *end, long min, long max, long *out)
{
    size_t len = (size_t)(end - text);
    char number[24];

    if (len >= sizeof(number))
        return false;
    memcpy(number, text, len);
    number[len] = '\0';
    return text_long(number, min, max, out) == ERR_OK;
}

enum err
conf_set_share(const struct convert *c, struct conf_share *out)
{
    size_t len = strlen(c->text);
    const char *end = c->text + len;
    bool percent = len > 0 && end[-1] == '%';
    long number;

    if (head_long(c->text, percent ? end - 1 : end, (long)c->key->min,
                  percent ? 100 : (long)c->key->max, &number)) {
        *out = (struct conf_share){ number, percent };
        return ERR_OK;
    }
    return why_set(c->why, ERR_CONF,
                   "allowed are numbers from %ld to %ld, and 1%% to 100%%",
                   (long)c->key->min, (long)c->key->max);
}

char *
conf_share_text(const struct conf_share *share)
{
    return conf_printed("%ld%s", share->number, share->percent ? "%" : "");
}

enum err
conf_set_rate(const struct convert *c, struct conf_rate *out)
{
    const char *slash = strchr(c->text, '/');
    size_t i;
    long count;

    if (strcmp(c->text, "none") == 0) {
        *out = (struct conf_rate){ 0, SECOND_MS };
        return ERR_OK;
    }
    for (i = 0; slash != NULL && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(slash + 1, units[i].unit) == 0 &&
            head_long(c->text, slash, (long)c->key->min, (long)c->key->max,
                      &count)) {
            *out = (struct conf_rate){ count, units[i].ms };
            return ERR_OK;
        }
    return why_set(c->why, ERR_CONF,
                   "allowed are N/s, N/m and N/h with N from %ld to %ld, and "
                   "none",
                   (long)c->key->min, (long)c->key->max);
}

char *
conf_rate_text(const struct conf_rate *rate)
{
    size_t i = 0;

    if (rate->count == 0)
        return mem_copy("none");
    while (units[i].ms != rate->per_ms)
        i++;
    return conf_printed("%ld/%s", rate->count, units[i].unit);
}

enum err
conf_set_mask(const struct convert *c, struct net_mask *out)
{
    const char *slash = strchr(c->text, '/');
    long v4, v6;

    if (slash == NULL || !head_long(c->text, slash, 1, 32, &v4) ||
        text_long(slash + 1, 1, 128, &v6) != ERR_OK)
        return why_set(c->why, ERR_CONF,
                       "allowed are two prefix lengths, of IPv4 from 1 to 32 "
                       "and of IPv6 from 1 to 128, such as 32/64");
    *out = (struct net_mask){ (unsigned)v4, (unsigned)v6 };
    return ERR_OK;
}

char *
conf_mask_text(const struct net_mask *mask)
{
    return conf_printed("%u/%u", mask->v4, mask->v6);
}

void
conf_nets_free(struct conf_nets *nets)
{
    free(nets->item);
    nets->item = NULL;
    nets->count = 0;
}

static void
nets_add(struct conf_nets *nets, const struct net *net)
{
    nets->item = mem_array(nets->item, nets->count + 1, sizeof(*nets->item));
    nets->item[nets->count++] = *net;
}

void
conf_nets_copy(const struct conf_nets *from, struct conf_nets *to)
{
    for (size_t i = 0; i < from->count; i++)
        nets_add(to, &from->item[i]);
}

/* add_net - one item of the list */
static enum err
add_net(const struct convert *c, const char *text, struct conf_nets *nets)
{
    bool alone = strcmp(text, c->text) == 0;
    struct why why;
    struct net net;
    char shown[128];

    if (net_parse(text, &net, &why) == ERR_OK) {
        nets_add(nets, &net);
        return ERR_OK;
    }
    (void)text_escape(text, strlen(text), shown, sizeof(shown));
    return why_set(c->why, ERR_CONF, "%s%s%s", why.text, alone ? "" : ": ",
                   alone ? "" : shown);
}

enum err
conf_set_nets(const struct convert *c, struct conf_nets *out)
{
    struct conf_nets nets = { 0, NULL };
    struct conf_list list = { 0, NULL };
    enum err code =
        conf_split(c->text, c->quoted, c->dir, c->files, &list, c->why);
    size_t i;

    for (i = 0; i < list.count && code == ERR_OK; i++)
        code = add_net(c, list.item[i], &nets);
    conf_list_free(&list);
    if (code != ERR_OK) {
        conf_nets_free(&nets);
        return code;
    }
    conf_nets_free(out);
    *out = nets;
    return ERR_OK;
}

char *
conf_nets_text(const struct conf_nets *nets)
{
    char *text = NULL, *before, one[NET_TEXT_MAX];

    for (size_t i = 0; i < nets->count; i++) {
        before = text;
        text = conf_printed("%s%s%s", before != NULL ? before : "",
                            before != NULL ? ", " : "",
                            net_text(&nets->item[i], one));
        free(before);
    }
    return text;
}

long
conf_workers_max(const struct conf_service *service)
{
    return service->workers_max;
}

long
conf_handshaking_max(const struct conf_service *service)
{
    const struct conf_share *share = &service->max_handshaking;
    long most = share->percent ? conf_workers_max(service) * share->number / 100
                               : share->number;

    return most > 0 ? most : 1;
}
