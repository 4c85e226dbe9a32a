/*
 * conf_files.c - every file that a configuration names
 *
 * Owns the answer for the fence, the rehearsal, the reload and the watch, so
 * that a new key which names a file is added in one place.
 */
#include "common/conf_files.h"
#include "common/conf.h"

typedef int visitor(void *ctx, const char *path);

static int
each_item(const struct conf_list *list, visitor *visit, void *ctx)
{
    size_t i;
    int stop = 0;

    for (i = 0; stop == 0 && i < list->count; i++)
        stop = visit(ctx, list->item[i]);
    return stop;
}

static int
each_side(const struct conf_tls *side, visitor *visit, void *ctx)
{
    int stop = each_item(&side->cert, visit, ctx);

    if (stop == 0)
        stop = each_item(&side->key, visit, ctx);
    if (stop == 0 && side->ca != NULL)
        stop = visit(ctx, side->ca);
    if (stop == 0)
        stop = each_item(&side->crl, visit, ctx);
    return stop;
}

static int
each_service(const struct conf_service *service, visitor *visit, void *ctx)
{
    int stop = each_side(&service->client, visit, ctx);
    size_t i;

    for (i = 0; stop == 0 && i < service->route_count; i++)
        stop = each_side(&service->route[i].side, visit, ctx);
    return stop;
}

int
conf_files_each(const struct conf *conf, visitor *visit, void *ctx)
{
    int stop = each_item(&conf->files, visit, ctx);
    size_t i;

    for (i = 0; stop == 0 && i < conf->service_count; i++)
        stop = each_service(&conf->service[i], visit, ctx);
    return stop;
}
