/*
 * conf_addrs.c - values that are lists of addresses
 *
 * Owns the lists and their memory; what an address looks like is in addr.c.
 */
#include "common/conf_convert.h"
#include "common/conf_value.h"
#include "common/mem.h"
#include "common/text.h"
#include <stdlib.h>
#include <string.h>

void
conf_addrs_free(struct conf_addrs *addrs)
{
    size_t i;

    for (i = 0; i < addrs->count; i++) {
        free(addrs->item[i].body);
        free(addrs->item[i].text);
    }
    free(addrs->item);
    addrs->item = NULL;
    addrs->count = 0;
}

static void
addrs_add(struct conf_addrs *addrs, const struct addr *addr, const char *text)
{
    struct addr *item;

    addrs->item =
        mem_array(addrs->item, addrs->count + 1, sizeof(*addrs->item));
    item = &addrs->item[addrs->count++];
    *item = *addr;
    item->text = mem_copy(text);
}

/* add_addr - one item of the list, which may be two addresses */
static enum err
add_addr(const struct convert *c, const char *text, struct conf_addrs *addrs)
{
    bool listen = c->key->type == CONF_T_LISTEN;
    struct addr found[2];
    size_t count = 1, i;
    struct why why;
    enum err code;
    char shown[128];

    code = listen ? addr_parse_listen(text, found, &count, &why)
                  : addr_parse_upstream(text, &found[0], &why);
    if (code != ERR_OK) {
        (void)text_escape(text, strlen(text), shown, sizeof(shown));
        return why_set(c->why, ERR_CONF, "%s%s%s", why.text,
                       strcmp(text, c->text) == 0 ? "" : ": ",
                       strcmp(text, c->text) == 0 ? "" : shown);
    }
    for (i = 0; i < count; i++)
        addrs_add(addrs, &found[i], text);
    return ERR_OK;
}

/* split_addrs - respond: and exec: take the rest of the value, commas and quotes
 * too */
static enum err
split_addrs(const struct convert *c, struct conf_list *out)
{
    if (c->key->type == CONF_T_UPSTREAM &&
        (strncmp(c->text, "respond:", strlen("respond:")) == 0 ||
         strncmp(c->text, "exec:", strlen("exec:")) == 0)) {
        conf_list_add(out, c->text);
        return ERR_OK;
    }
    return conf_split(c->text, c->quoted, c->dir, c->files, out, c->why);
}

enum err
conf_set_addrs(const struct convert *c, struct conf_addrs *out)
{
    struct conf_addrs addrs = { 0, NULL };
    struct conf_list list = { 0, NULL };
    enum err code;
    size_t i;

    code = split_addrs(c, &list);
    for (i = 0; i < list.count && code == ERR_OK; i++)
        code = add_addr(c, list.item[i], &addrs);
    conf_list_free(&list);
    if (code == ERR_OK) {
        conf_addrs_free(out);
        *out = addrs;
    } else {
        conf_addrs_free(&addrs);
    }
    return code;
}

void
conf_addrs_copy(const struct conf_addrs *from, struct conf_addrs *to)
{
    size_t i;

    for (i = 0; i < from->count; i++) {
        addrs_add(to, &from->item[i], from->item[i].text);
        if (from->item[i].body != NULL)
            to->item[i].body = mem_copy(from->item[i].body);
    }
}
