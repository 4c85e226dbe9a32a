/* stream_tls.h - a stream's TLS session, once it is established; for the files
 * of stream.h, whose results and rules are these functions' too */
#ifndef WORKER_STREAM_TLS_H
#define WORKER_STREAM_TLS_H
#include <stddef.h>
#include <sys/types.h>

struct stream;

/* stream_tls_begin - our callbacks on stream->ssl, and an empty spill */
void stream_tls_begin(struct stream *stream);

/* stream_tls_read - one record, for which the socket may be asked, and what else
 * is here already and has room */
ssize_t stream_tls_read(struct stream *stream, void *buf, size_t size);

/* stream_tls_write - as many records as the spill has room for, by one send(2) */
ssize_t stream_tls_write(struct stream *stream, const void *buf, size_t len);

/* stream_tls_notify - close_notify, once, and all the way to the kernel. 0, or
 * -ERR_AGAIN and the other negatives of stream_shut. */
int stream_tls_notify(struct stream *stream);
#endif
