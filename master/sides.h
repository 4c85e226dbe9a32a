/* sides.h - from a service's files to its TLS material */
#ifndef MASTER_SIDES_H
#define MASTER_SIDES_H
#include "common/err.h"

struct conf_route;
struct conf_service;
struct generation_sides;

/*
 * sides_build - read the files of both sides and of every route, build their
 * contexts. Warnings go to the log with the service's name.
 * On failure everything is freed; why names the service and the file.
 */
enum err sides_build(const struct conf_service *service,
                     struct generation_sides *out, struct why *why);
/* sides_placed - put the section, of the route when there is one with a name,
 * in front of a sentence; nothing when err is ERR_OK. Returns err. */
enum err sides_placed(const struct conf_service *service,
                      const struct conf_route *route, enum err err,
                      struct why *why);

void sides_free(const struct conf_service *service,
                struct generation_sides *sides);
#endif
