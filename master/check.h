/* check.h - mtlsd -t: would this configuration start? */
#ifndef MASTER_CHECK_H
#define MASTER_CHECK_H
struct conf;

/*
 * check_files - build a generation as boot would, with the ids that boot would
 * take, in a child, and throw it away: every certificate, key and CA file.
 * Says what is wrong on standard error. Returns an exit code.
 */
int check_files(struct conf *conf);
#endif
