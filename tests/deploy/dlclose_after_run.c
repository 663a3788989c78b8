/* dlclose_after_run LIBOCTET MODEL: loads the library, runs a model on two threads and unloads the
 * library, several times. Afterwards neither it nor a thread of it is left, and fork() finds no
 * handler of it. The model is LeNet. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int (*load_function)(const char*, void**);
typedef int (*create_function)(void*, int64_t, int, void**);
typedef int (*run_function)(void*, const uint8_t*, size_t, int32_t*, size_t);
typedef void (*free_function)(void*);

/* Lines of the file that contain the text. */
static int lines_with(const char* file, const char* text) {
  FILE* f = fopen(file, "r");
  char line[4096];
  int count = 0;
  while (f != NULL && fgets(line, sizeof(line), f) != NULL) count += strstr(line, text) != NULL;
  if (f != NULL) fclose(f);
  return count;
}

static void* function(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == NULL) printf("error: no %s\n", name);
  return found;
}

/* A pointer to a function, which ISO C does not make of one to an object. */
#define GET(type, variable, name) \
  type variable;                  \
  *(void**)&variable = function(library, name)

static int run_once(const char* path, const char* model_path) {
  static uint8_t pixels[64 * 784];
  static int32_t logits[64 * 10];
  void *model = NULL, *executor = NULL, *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return printf("error: %s\n", dlerror());
  GET(load_function, load, "octet_model_load");
  GET(create_function, create, "octet_executor_create");
  GET(run_function, run, "octet_executor_run_u8");
  GET(free_function, free_executor, "octet_executor_free");
  GET(free_function, free_model, "octet_model_free");
  if (load(model_path, &model) != 0 || create(model, 64, 2, &executor) != 0 ||
      run(executor, pixels, sizeof(pixels), logits, 640) != 0)
    return printf("error: the model does not run\n");
  if (lines_with("/proc/self/status", "Threads:\t2") != 1)
    return printf("error: no second thread\n");
  free_executor(executor);
  free_model(model);
  return dlclose(library);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  for (int round = 0; round < 20; ++round) {
    int status = 0;
    if (run_once(argv[1], argv[2]) != 0) return 1;
    if (lines_with("/proc/self/maps", "liboctet") != 0) return printf("error: it is still there\n");
    if (lines_with("/proc/self/status", "Threads:\t1") != 1)
      return printf("error: a thread is left\n");
    pid_t child = fork();
    if (child == 0) _exit(7);
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) return printf("error: fork fails now\n");
  }
  puts("alive");
  return 0;
}
