/*
 * crew.c - the master's own table of its workers, by pid
 *
 * Owns an open-addressed hash table (linear probing, deletion by shifting
 * back), because every report and every death looks one up, and ten thousand
 * workers must cost what ten do. No worker inherits it. Never signals anybody.
 */
#include "master/crew.h"
#include "common/mem.h"

#include <string.h>

struct crew {
    size_t count;
    size_t room;                /* a power of two */
    struct crew_member *member; /* pid 0: free */
};

static size_t
home(const struct crew *crew, pid_t pid)
{
    return ((size_t)pid * 0x9e3779b97f4a7c15u >> 20) & (crew->room - 1);
}

struct crew *
crew_new(void)
{
    struct crew *crew = mem_own(sizeof(*crew));

    crew->room = 64;
    crew->member = mem_own(crew->room * sizeof(*crew->member));
    return crew;
}

void
crew_free(struct crew *crew)
{
    if (crew == NULL)
        return;
    mem_own_free(crew->member);
    mem_own_free(crew);
}

/* place - the entry of pid, or the free one where it would go */
static struct crew_member *
place(struct crew *crew, pid_t pid)
{
    size_t i = home(crew, pid);

    while (crew->member[i].pid != 0 && crew->member[i].pid != pid)
        i = (i + 1) & (crew->room - 1);
    return &crew->member[i];
}

static void
grow(struct crew *crew)
{
    struct crew old = *crew;
    size_t i;

    crew->room *= 2;
    crew->member = mem_own(crew->room * sizeof(*crew->member));
    for (i = 0; i < old.room; i++)
        if (old.member[i].pid != 0)
            *place(crew, old.member[i].pid) = old.member[i];
    mem_own_free(old.member);
}

struct crew_member *
crew_add(struct crew *crew, pid_t pid)
{
    struct crew_member *member;

    if ((crew->count + 1) * 2 > crew->room)
        grow(crew);
    member = place(crew, pid);
    memset(member, 0, sizeof(*member));
    member->pid = pid;
    crew->count++;
    return member;
}

struct crew_member *
crew_find(struct crew *crew, pid_t pid)
{
    struct crew_member *member;

    if (pid <= 0)
        return NULL;
    member = place(crew, pid);
    return member->pid == pid ? member : NULL;
}

void
crew_remove(struct crew *crew, pid_t pid)
{
    size_t mask = crew->room - 1;
    struct crew_member *member = crew_find(crew, pid);
    size_t hole, i;

    if (member == NULL)
        return;
    hole = (size_t)(member - crew->member);
    crew->count--;
    /* move back whoever would no longer be found across the hole */
    for (i = (hole + 1) & mask; crew->member[i].pid != 0; i = (i + 1) & mask) {
        size_t want = home(crew, crew->member[i].pid);

        if (((i - want) & mask) >= ((i - hole) & mask)) {
            crew->member[hole] = crew->member[i];
            hole = i;
        }
    }
    memset(&crew->member[hole], 0, sizeof(crew->member[hole]));
}

size_t
crew_count(const struct crew *crew)
{
    return crew->count;
}

void
crew_each(struct crew *crew,
          void (*visit)(struct crew_member *member, void *ctx), void *ctx)
{
    size_t i;

    for (i = 0; i < crew->room; i++)
        if (crew->member[i].pid != 0)
            visit(&crew->member[i], ctx);
}
