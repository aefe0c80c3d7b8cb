#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long size_of(FILE *file) {
  long size = 0;
  while (fgetc(file) != EOF) size++;
  return size;
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  puts("plain line");
  puts("::progress 40 half way");
  fputs("to stderr\n", stderr);
  if (!strcmp(mode, "fail")) return 3;
  if (!strcmp(mode, "hang")) {
    signal(SIGTERM, SIG_IGN);
    puts("hanging");
    fflush(stdout);
    sleep(300);
  }
  if (!strcmp(mode, "size")) {
    FILE *file = fopen(getenv("TASK_PAYLOAD_FILE"), "r");
    printf("{\"stdin\":%ld,\"file\":%ld}\n", size_of(stdin), size_of(file));
    return 0;
  }
  printf("{\"args\":\"");
  for (int i = 2; i < argc; i++) printf("%s%s", i > 2 ? "|" : "", argv[i]);
  printf("\",\"stdin\":");
  for (int c; (c = getchar()) != EOF;) putchar(c);
  printf(",\"payload\":%s,\"mine\":\"%s\"}\n", getenv("TASK_PAYLOAD"), getenv("MINE"));
  return 0;
}
