/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "target/target.h"

#include "elf_image.h"
#include "scratch.h"
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOBODY 65534
#define SOMEBODY 4711

static struct target_credentials ourselves(void)
{
	return (struct target_credentials){.user = geteuid(), .group = getegid()};
}

static void inspect(const char *command, struct target *target)
{
	struct target_credentials credentials = ourselves();

	memset(target, 0x5a, sizeof(*target));
	target_inspect(command, "/nonexistent", &credentials, target);
}

static void inspect_for(uid_t user, gid_t group, const char *command, struct target *target)
{
	struct target_credentials credentials = {.user = user, .group = group};

	target_inspect(command, "/nonexistent", &credentials, target);
}

static void require_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
	}
}

/* A program for this machine whose exit status is the AT_SECURE that the kernel gave it. */
static void native_image(struct elf_image *image)
{
#if defined(__aarch64__)
	static const uint32_t code[] = {
		0xf94003e1, /* ldr x1, [sp]            argc */
		0x910043e2, /* add x2, sp, #16 */
		0x8b010c42, /* add x2, x2, x1, lsl #3  environment */
		0xf8408440, /* ldr x0, [x2], #8 */
		0xb5ffffe0, /* cbnz x0, -4             to its end */
		0xa8c10041, /* ldp x1, x0, [x2], #16   auxiliary vector */
		0xf1005c3f, /* cmp x1, #23             AT_SECURE */
		0x54ffffc1, /* b.ne -8 */
		0xd2800ba8, /* mov x8, #93             exit */
		0xd4000001, /* svc #0 */
	};
#else
	static const unsigned char code[] = {
		0x48, 0x8b, 0x0c, 0x24,	      /* mov (%rsp),%rcx            argc */
		0x48, 0x8d, 0x74, 0xcc, 0x10, /* lea 16(%rsp,%rcx,8),%rsi   environment */
		0x48, 0xad,		      /* lods (%rsi),%rax */
		0x48, 0x85, 0xc0,	      /* test %rax,%rax */
		0x75, 0xf9,		      /* jne -7                     to its end */
		0x48, 0xad,		      /* lods (%rsi),%rax           auxiliary vector */
		0x48, 0x89, 0xc2,	      /* mov %rax,%rdx */
		0x48, 0xad,		      /* lods (%rsi),%rax */
		0x83, 0xfa, 0x17,	      /* cmp $23,%edx               AT_SECURE */
		0x75, 0xf4,		      /* jne -12 */
		0x89, 0xc7,		      /* mov %eax,%edi */
		0xb8, 0x3c, 0,	  0,	0,    /* mov $60,%eax               exit */
		0x0f, 0x05,		      /* syscall */
	};
#endif
	size_t offset;

	image_start(image, IMAGE_NATIVE_MACHINE, true, false);
	image_load(image);
	offset = image_append(image, code, sizeof(code));
	IMAGE_PUT(image, 0, Ehdr, e_type, ET_EXEC);
	IMAGE_PUT(image, 0, Ehdr, e_entry, IMAGE_BASE + offset);
}

static void write_static(const char *path, mode_t mode)
{
	struct elf_image image;

	native_image(&image);
	scratch_write(path, image.bytes, image.size, mode);
}

static void write_dynamic(const char *path, const char *interpreter)
{
	struct elf_image image;

	native_image(&image);
	image_interpreter(&image, interpreter);
	scratch_write(path, image.bytes, image.size, 0755);
}

/* ---- what COMMAND is ---- */

static void an_installed_dynamic_program_is_dynamic(void **state)
{
	struct target target;
	struct stat status;

	(void)state;
	inspect("/bin/cat", &target);
	assert_int_equal(target.exec_error, 0);
	assert_int_equal(target.kind, target.elf.has_interpreter ? TARGET_DYNAMIC : TARGET_STATIC);
	assert_int_equal(target.interpreter_known, target.elf.has_interpreter);
	assert_int_equal(target.elf.abi, abi_native());
	assert_string_equal(target.path, "/bin/cat");
	assert_string_equal(target.program, "/bin/cat");
	assert_string_equal(target.culprit, "/bin/cat");
	assert_int_equal(stat("/bin/cat", &status), 0);
	assert_true(target.device == status.st_dev && target.inode == status.st_ino);
	assert_int_equal(target.script_depth, 0);
}

static void a_program_without_interpreter_is_static(void **state)
{
	struct target target;

	(void)state;
	write_static("static", 0755);
	inspect("./static", &target);
	assert_int_equal(target.kind, TARGET_STATIC);
	assert_int_equal(target.exec_error, 0);
	assert_false(target.interpreter_known);
	assert_int_equal(kernel_verdict("./static"), 0);
	if (access("/bin/busybox", X_OK) == 0) {
		inspect("/bin/busybox", &target);
		assert_int_equal(target.exec_error, 0);
	}
}

static void a_symbolic_link_is_followed_and_keeps_its_name(void **state)
{
	struct target target;
	struct stat status;

	(void)state;
	write_static("real", 0755);
	assert_int_equal(symlink("real", "link"), 0);
	inspect("./link", &target);
	assert_int_equal(target.kind, TARGET_STATIC);
	assert_string_equal(target.path, "./link");
	assert_string_equal(target.program, "./link");
	assert_int_equal(stat("real", &status), 0);
	assert_true(target.inode == status.st_ino);
}

static void a_script_is_followed_to_its_interpreter(void **state)
{
	struct target target;
	struct stat status;

	(void)state;
	scratch_text("script", "#!/bin/cat /dev/null\n", 0755);
	inspect("./script", &target);
	assert_int_equal(target.exec_error, 0);
	assert_int_equal(target.script_depth, 1);
	assert_string_equal(target.path, "./script");
	assert_string_equal(target.program, "/bin/cat");
	assert_int_equal(stat("/bin/cat", &status), 0);
	assert_true(target.inode == status.st_ino);
	assert_int_equal(target.kind, target.elf.has_interpreter ? TARGET_DYNAMIC : TARGET_STATIC);
}

static void a_relative_interpreter_is_taken_from_the_current_directory(void **state)
{
	struct target target;

	(void)state;
	write_static("interpreter", 0755);
	scratch_text("script", "#!interpreter\n", 0755);
	inspect("./script", &target);
	assert_int_equal(target.exec_error, 0);
	assert_string_equal(target.program, "interpreter");
	assert_int_equal(kernel_verdict("./script"), 0);
}

static void neither_elf_nor_script_is_unknown(void **state)
{
	static const char *const texts[] = {
		"",	  "echo hello\n", "#!\n",
		"#!  \n", "\177ELF",	  "\177ELF\2\1\1 but then no more of a header than this"};
	struct target target;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		scratch_text("file", texts[i], 0755);
		inspect("./file", &target);
		assert_int_equal(target.kind, TARGET_UNKNOWN);
		assert_int_equal(target.exec_error, 0);
		assert_false(target.elf.has_interpreter);
		assert_int_equal(kernel_verdict("./file"), ENOEXEC);
	}
}

static void a_corrupt_interpreter_name_is_unknown(void **state)
{
	struct elf_image image;
	struct target target;
	size_t offset;

	(void)state;
	native_image(&image);
	offset = image_append(&image, "/lib/ld", 7);
	image_segment(&image, PT_INTERP, offset, IMAGE_BASE + offset, 7, 1);
	scratch_write("corrupt", image.bytes, image.size, 0755);
	inspect("./corrupt", &target);
	assert_int_equal(target.kind, TARGET_UNKNOWN);
	assert_int_equal(kernel_verdict("./corrupt"), ENOEXEC);
}

static void a_foreign_program_is_not_judged_by_its_interpreter(void **state)
{
	struct elf_image image;
	struct target target;

	(void)state;
	image_start(&image, EM_S390, true, true);
	image_load(&image);
	image_interpreter(&image, "/lib/no-such-directory/ld64.so.1");
	scratch_write("foreign", image.bytes, image.size, 0755);
	inspect("./foreign", &target);
	assert_int_equal(target.kind, TARGET_DYNAMIC);
	assert_int_equal(target.elf.abi, ABI_OTHER);
	assert_int_equal(target.exec_error, 0);
	assert_false(target.interpreter_known);
	image_start(&image, EM_S390, true, true);
	image_load(&image);
	scratch_write("foreign", image.bytes, image.size, 0755);
	inspect("./foreign", &target);
	assert_int_equal(target.kind, TARGET_STATIC);
}

static void only_loaders_that_exist_and_honour_preload_are_known(void **state)
{
	static const struct {
		const char *name;
		bool known;
	} rows[] = {
		{"ld-linux-x86-64.so.2", true},
		{"ld-linux.so.2", true},
		{"ld-musl-aarch64.so.1", true},
		{"ld.so.1", true},
		{"ld64.so.2", true},
		{"ld-linux-x86-64", false},
		{"linker64", false},
		{"ld64-uClibc.so.0", false},
		{"ld-android.so", false},
	};
	struct target target;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char interpreter[64];

		snprintf(interpreter, sizeof(interpreter), "./%s", rows[i].name);
		write_static(interpreter, 0755);
		write_dynamic("program", interpreter);
		inspect("./program", &target);
		assert_int_equal(target.kind, TARGET_DYNAMIC);
		assert_int_equal(target.exec_error, 0);
		assert_int_equal(target.interpreter_known, rows[i].known);
	}
}

/* ---- what execve() will refuse ---- */

static void assert_refused(const char *command, int error, const char *culprit)
{
	struct target target;

	inspect(command, &target);
	assert_int_equal(target.kind, TARGET_ABSENT);
	if (target.exec_error != error)
		fail_msg("%s: errno %d, not %d", command, target.exec_error, error);
	assert_string_equal(target.culprit, culprit);
	if (kernel_verdict(command) != error)
		fail_msg("%s: the kernel says %d, not %d", command, kernel_verdict(command), error);
}

static void a_missing_command_is_not_found(void **state)
{
	struct target target;

	(void)state;
	assert_refused("./missing", ENOENT, "./missing");
	assert_refused("/missing/too", ENOENT, "/missing/too");
	inspect("duende-no-such-command", &target);
	assert_int_equal(target.kind, TARGET_ABSENT);
	assert_int_equal(target.exec_error, ENOENT);
	assert_string_equal(target.culprit, "duende-no-such-command");
	assert_string_equal(target.path, "");
	inspect("", &target);
	assert_int_equal(target.exec_error, ENOENT);
}

static void what_is_no_file_cannot_be_executed(void **state)
{
	(void)state;
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_refused("./folder", EACCES, "./folder");
	assert_refused("./folder/", EACCES, "./folder/");
	assert_int_equal(mkfifo("pipe", 0777), 0);
	assert_refused("./pipe", EACCES, "./pipe");
	assert_refused("/dev/null", EACCES, "/dev/null");
	write_static("file", 0755);
	assert_refused("./file/", ENOTDIR, "./file/");
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_refused("./loop", ELOOP, "./loop");
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_refused("./dangling", ENOENT, "./dangling");
}

static void a_file_without_execute_permission_is_refused_also_to_root(void **state)
{
	(void)state;
	write_static("program", 0644);
	assert_refused("./program", EACCES, "./program");
	scratch_text("script", "#!/bin/sh\n", 0644);
	assert_refused("./script", EACCES, "./script");
}

static void a_command_that_is_too_long_is_refused(void **state)
{
	char command[PATH_MAX + 100];
	struct target target;

	(void)state;
	memset(command, 'x', sizeof(command));
	command[sizeof(command) - 1] = '\0';
	inspect(command, &target);
	assert_int_equal(target.exec_error, ENAMETOOLONG);
	assert_int_equal(strlen(target.culprit), PATH_MAX - 1);
	command[0] = '/';
	inspect(command, &target);
	assert_int_equal(target.exec_error, ENAMETOOLONG);
	assert_string_equal(target.path, "");
	assert_int_equal(kernel_verdict(command), ENAMETOOLONG);
	command[NAME_MAX + 2] = '\0';
	assert_refused(command, ENAMETOOLONG, command);
}

static void a_script_is_refused_for_the_sake_of_its_interpreter(void **state)
{
	static const struct {
		const char *text;
		int error;
		const char *culprit;
	} rows[] = {
		{"#!/no/such/interpreter\n", ENOENT, "/no/such/interpreter"},
		{"#!/bin/sh\r\n", ENOENT, "/bin/sh\r"},
		{"#!/tmp\n", EACCES, "/tmp"},
		{"#!/bin/cat/\n", ENOTDIR, "/bin/cat/"},
		{"#!./plain -x\n", EACCES, "./plain"},
		{"#!", EACCES, ""},
		{"#! ", EACCES, ""},
	};

	(void)state;
	write_static("plain", 0644);
	for (size_t i = 0; i < COUNT(rows); i++) {
		scratch_text("script", rows[i].text, 0755);
		assert_refused("./script", rows[i].error, rows[i].culprit);
	}
}

/* script0 names `last`, each following one its predecessor. */
static void write_chain(unsigned length, const char *last)
{
	for (unsigned i = 0; i < length; i++) {
		char name[32];
		char text[64];

		snprintf(name, sizeof(name), "script%u", i);
		if (i == 0)
			snprintf(text, sizeof(text), "#!%s\n", last);
		else
			snprintf(text, sizeof(text), "#!./script%u\n", i - 1);
		scratch_text(name, text, 0755);
	}
}

static void scripts_of_scripts_are_followed_as_far_as_the_kernel_does(void **state)
{
	struct target target;

	(void)state;
	write_chain(SCRIPT_DEPTH_MAXIMUM + 1, "/bin/cat");
	inspect("./script4", &target);
	assert_int_equal(target.exec_error, 0);
	assert_int_equal(target.script_depth, SCRIPT_DEPTH_MAXIMUM);
	assert_string_equal(target.program, "/bin/cat");
	assert_int_equal(kernel_verdict("./script4"), 0);
	assert_refused("./script5", ELOOP, "./script5");
	scratch_text("self", "#!./self\n", 0755);
	assert_refused("./self", ELOOP, "./self");
	write_chain(SCRIPT_DEPTH_MAXIMUM + 1, "/missing");
	assert_refused("./script5", ENOENT, "/missing");
}

static void a_missing_loader_is_named(void **state)
{
	struct elf_image image;
	struct target target;

	(void)state;
	write_dynamic("program", "/lib/ld-musl-none.so.1");
	assert_refused("./program", ENOENT, "/lib/ld-musl-none.so.1");
	scratch_text("script", "#!./program\n", 0755);
	assert_refused("./script", ENOENT, "/lib/ld-musl-none.so.1");
	if (abi_native() != ABI_X86_64)
		return;
	image_start(&image, EM_386, false, false);
	image_load(&image);
	image_interpreter(&image, "/lib/ld-none.so.2");
	scratch_write("i386", image.bytes, image.size, 0755);
	inspect("./i386", &target);
	assert_int_equal(target.exec_error, ENOENT);
	assert_string_equal(target.culprit, "/lib/ld-none.so.2");
}

static void a_loader_that_cannot_be_executed_is_named(void **state)
{
	(void)state;
	write_static("plain", 0644);
	write_dynamic("program", "./plain");
	assert_refused("./program", EACCES, "./plain");
	write_dynamic("program", "/tmp");
	assert_refused("./program", EACCES, "/tmp");
	write_dynamic("program", "./program/");
	assert_refused("./program", ENOTDIR, "./program/");
}

static void a_loader_that_is_no_elf_of_this_machine_is_refused(void **state)
{
	static char text[4096] = "#!/bin/sh\n";
	struct elf_image image;

	(void)state;
	scratch_write("loader", text, sizeof(text), 0755);
	write_dynamic("program", "./loader");
	assert_refused("./program", ELIBBAD, "./loader");
	image_start(&image, EM_S390, true, true);
	image_load(&image);
	scratch_write("loader", image.bytes, image.size, 0755);
	assert_refused("./program", ELIBBAD, "./loader");
}

/* ---- the search along PATH ---- */

static void write_folders(void)
{
	assert_int_equal(mkdir("one", 0755), 0);
	assert_int_equal(mkdir("two", 0755), 0);
	assert_int_equal(mkdir("three", 0755), 0);
	scratch_text("file", "", 0644);
}

static int look_up(const char *command, const char *search_path, char path[PATH_MAX])
{
	memset(path, 'x', PATH_MAX);
	return target_lookup(command, search_path, path);
}

static void assert_found(const char *command, const char *search_path, const char *expected)
{
	struct target_credentials credentials = ourselves();
	struct target target;
	char path[PATH_MAX];

	assert_int_equal(look_up(command, search_path, path), 0);
	assert_string_equal(path, expected);
	target_inspect(command, search_path, &credentials, &target);
	assert_string_equal(target.path, expected);
	assert_int_equal(target.exec_error, 0);
}

static void assert_not_found(const char *command, const char *search_path, int error)
{
	struct target_credentials credentials = ourselves();
	struct target target;
	char path[PATH_MAX];

	assert_int_equal(look_up(command, search_path, path), -error);
	assert_string_equal(path, "");
	target_inspect(command, search_path, &credentials, &target);
	assert_int_equal(target.kind, TARGET_ABSENT);
	assert_int_equal(target.exec_error, error);
}

static void the_first_directory_that_has_the_command_wins(void **state)
{
	(void)state;
	write_folders();
	write_static("two/command", 0755);
	write_static("three/command", 0755);
	assert_found("command", "one:two:three", "two/command");
	assert_found("command", "/missing:file:two", "two/command");
	assert_found("command", "three/:two", "three//command");
	assert_not_found("command", "one:/missing:file", ENOENT);
}

static void an_empty_directory_is_the_current_one(void **state)
{
	(void)state;
	write_folders();
	write_static("command", 0755);
	assert_found("command", "", "command");
	assert_found("command", ":one", "command");
	assert_found("command", "one:", "command");
	assert_found("command", "one::two", "command");
	assert_not_found("command", "one:two", ENOENT);
}

static void a_name_with_a_slash_is_not_searched_for(void **state)
{
	char path[PATH_MAX];

	(void)state;
	write_folders();
	write_static("one/command", 0755);
	assert_found("./one/command", "two", "./one/command");
	assert_found("one/command", NULL, "one/command");
	assert_int_equal(look_up("two/missing", "one", path), 0);
	assert_string_equal(path, "two/missing");
}

static void a_file_that_may_not_be_executed_does_not_end_the_search(void **state)
{
	(void)state;
	write_folders();
	write_static("one/command", 0644);
	assert_int_equal(mkdir("two/command", 0755), 0);
	write_static("three/command", 0755);
	assert_found("command", "one:two:three", "three/command");
	assert_not_found("command", "one", EACCES);
	assert_not_found("command", "two", EACCES);
	assert_not_found("command", "one:/missing", EACCES);
}

static void the_file_that_may_not_be_executed_is_named(void **state)
{
	struct target_credentials credentials = ourselves();
	struct target target;

	(void)state;
	write_folders();
	scratch_text("one/command", "#!/missing\n", 0755);
	write_static("two/command", 0644);
	target_inspect("command", "/none:one:two:/none", &credentials, &target);
	assert_int_equal(target.exec_error, EACCES);
	assert_string_equal(target.culprit, "two/command");
	assert_string_equal(target.path, "two/command");
}

/* execvp(3) cannot tell a missing interpreter from a missing file. */
static void a_script_whose_interpreter_is_missing_does_not_end_the_search(void **state)
{
	struct target_credentials credentials = ourselves();
	struct target target;

	(void)state;
	write_folders();
	scratch_text("one/command", "#!/missing\n", 0755);
	write_static("two/command", 0755);
	target_inspect("command", "one:two", &credentials, &target);
	assert_string_equal(target.path, "two/command");
	assert_int_equal(target.exec_error, 0);
	target_inspect("command", "one:three", &credentials, &target);
	assert_int_equal(target.exec_error, ENOENT);
	assert_string_equal(target.culprit, "/missing");
	assert_string_equal(target.path, "one/command");
}

static void an_error_that_execvp_stops_at_ends_the_search(void **state)
{
	char name[NAME_MAX + 2];

	(void)state;
	write_folders();
	write_static("two/command", 0755);
	assert_int_equal(symlink("command", "one/command"), 0);
	assert_not_found("command", "one:two", ELOOP);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_not_found(name, "one:two", ENAMETOOLONG);
	assert_not_found("", "one:two", ENOENT);
}

static void a_directory_that_is_too_long_is_left_out(void **state)
{
	char search_path[PATH_MAX + 64];

	(void)state;
	write_folders();
	write_static("two/command", 0755);
	memset(search_path, 'd', sizeof(search_path));
	memcpy(search_path + PATH_MAX, ":two", sizeof(":two"));
	assert_found("command", search_path, "two/command");
	memcpy(search_path + PATH_MAX - 3, ":two", sizeof(":two"));
	assert_not_found("command", search_path, ENAMETOOLONG);
}

static void without_a_search_path_the_systems_own_is_used(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(look_up("sh", NULL, path), 0);
	assert_int_equal(access(path, X_OK), 0);
	assert_string_equal(strrchr(path, '/'), "/sh");
}

static void a_file_that_is_no_program_is_never_handed_to_a_shell(void **state)
{
	struct target_credentials credentials = ourselves();
	struct target target;

	(void)state;
	write_folders();
	scratch_text("one/command", "echo hello\n", 0755);
	write_static("two/command", 0755);
	target_inspect("command", "one:two", &credentials, &target);
	assert_int_equal(target.kind, TARGET_UNKNOWN);
	assert_string_equal(target.path, "one/command");
}

/* ---- another user ---- */

static void permission_is_judged_for_the_user_that_will_execute(void **state)
{
	static const struct {
		mode_t mode;
		uid_t user;
		gid_t group;
		enum target_kind kind;
	} rows[] = {
		/* The file belongs to SOMEBODY:SOMEBODY. */
		{0700, NOBODY, NOBODY, TARGET_ABSENT},
		{0700, SOMEBODY, NOBODY, TARGET_STATIC},
		{0077, SOMEBODY, SOMEBODY, TARGET_ABSENT},
		{0070, NOBODY, SOMEBODY, TARGET_STATIC},
		{0707, NOBODY, SOMEBODY, TARGET_ABSENT},
		{0755, NOBODY, NOBODY, TARGET_STATIC},
		{0644, NOBODY, NOBODY, TARGET_ABSENT},
		{0711, NOBODY, NOBODY, TARGET_UNREADABLE},
		{0711, SOMEBODY, SOMEBODY, TARGET_STATIC},
		{0311, SOMEBODY, SOMEBODY, TARGET_UNREADABLE},
		{0111, NOBODY, NOBODY, TARGET_UNREADABLE},
		/* A supplementary group might do. */
		{0750, NOBODY, NOBODY, TARGET_STATIC},
		{0100, 0, 0, TARGET_STATIC},
		{0644, 0, 0, TARGET_ABSENT},
	};
	struct target target;

	(void)state;
	require_root();
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_static("program", rows[i].mode);
		assert_int_equal(chown("program", SOMEBODY, SOMEBODY), 0);
		inspect_for(rows[i].user, rows[i].group, "./program", &target);
		if (target.kind != rows[i].kind)
			fail_msg("row %zu: kind %d", i, (int)target.kind);
		assert_int_equal(target.exec_error, target.kind == TARGET_ABSENT ? EACCES : 0);
	}
}

static void an_unreadable_file_may_still_have_privileges(void **state)
{
	struct target target;

	(void)state;
	require_root();
	write_static("program", 04711);
	inspect_for(NOBODY, NOBODY, "./program", &target);
	assert_int_equal(target.kind, TARGET_UNREADABLE);
	assert_true(target.set_user_id);
	assert_true(target.secure_execution);
	assert_true(target.inode != 0);
}

static void an_unreadable_file_is_told_from_an_unknown_one(void **state)
{
	struct target target;

	(void)state;
	write_static("program", 0311);
	inspect("./program", &target);
	assert_int_equal(target.kind, geteuid() == 0 ? TARGET_STATIC : TARGET_UNREADABLE);
	assert_int_equal(target.exec_error, 0);
	assert_string_equal(target.program, "./program");
	assert_int_equal(kernel_verdict("./program"), 0);
}

/* ---- privileges ---- */

static void a_set_user_id_program_of_another_user_is_privileged(void **state)
{
	struct target target;

	(void)state;
	require_root();
	write_static("program", 04755);
	inspect_for(NOBODY, NOBODY, "./program", &target);
	assert_true(target.set_user_id && target.secure_execution);
	assert_false(target.set_group_id || target.file_capabilities || target.privileges_ignored);
	assert_int_equal(target.owner, 0);
	inspect("./program", &target);
	assert_false(target.set_user_id || target.secure_execution || target.privileges_ignored);
}

static void a_set_group_id_program_needs_group_execute_permission(void **state)
{
	struct target target;

	(void)state;
	require_root();
	write_static("program", 02755);
	inspect_for(NOBODY, NOBODY, "./program", &target);
	assert_true(target.set_group_id && target.secure_execution);
	assert_false(target.set_user_id);
	inspect_for(NOBODY, 0, "./program", &target);
	assert_false(target.set_group_id || target.secure_execution);
	write_static("program", 02745);
	inspect_for(NOBODY, NOBODY, "./program", &target);
	assert_false(target.set_group_id || target.secure_execution);
}

static void a_set_user_id_program_of_ones_own_is_not_privileged(void **state)
{
	struct target target;

	(void)state;
	write_static("program", 06755);
	inspect("./program", &target);
	assert_false(target.set_user_id || target.set_group_id || target.secure_execution);
	assert_int_equal(target.owner, geteuid());
}

static void set_user_id_on_a_script_means_nothing(void **state)
{
	struct target target;

	(void)state;
	require_root();
	write_static("program", 0755);
	scratch_text("script", "#!./program\n", 06755);
	inspect_for(NOBODY, NOBODY, "./script", &target);
	assert_false(target.set_user_id || target.set_group_id || target.secure_execution);
	write_static("program", 04755);
	scratch_text("script", "#!./program\n", 0755);
	inspect_for(NOBODY, NOBODY, "./script", &target);
	assert_true(target.set_user_id && target.secure_execution);
}

/* cap_net_raw+ep */
static void give_capability(const char *path)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};

	if (setxattr(path, "security.capability", &data, XATTR_CAPS_SZ_2, 0) != 0) {
		print_message("skipped: setxattr: %s\n", strerror(errno));
		skip();
	}
}

static void file_capabilities_are_privileges_but_not_for_root(void **state)
{
	struct target target;

	(void)state;
	require_root();
	write_static("program", 0755);
	give_capability("program");
	inspect_for(NOBODY, NOBODY, "./program", &target);
	assert_true(target.file_capabilities && target.secure_execution);
	assert_false(target.set_user_id || target.set_group_id || target.privileges_ignored);
	inspect("./program", &target);
	assert_true(target.file_capabilities);
	assert_false(target.secure_execution);
}

static void no_new_privileges_drops_them_all(void **state)
{
	struct target_credentials credentials = {NOBODY, NOBODY, true};
	struct target target;

	(void)state;
	require_root();
	write_static("program", 06755);
	target_inspect("./program", NULL, &credentials, &target);
	assert_false(target.set_user_id || target.set_group_id || target.secure_execution);
	assert_true(target.privileges_ignored);
	write_static("program", 0755);
	target_inspect("./program", NULL, &credentials, &target);
	assert_false(target.privileges_ignored);
}

static void no_new_privileges_leaves_secure_execution_of_file_capabilities(void **state)
{
	struct target_credentials credentials = {NOBODY, NOBODY, true};
	struct target target;

	(void)state;
	require_root();
	write_static("program", 0755);
	give_capability("program");
	target_inspect("./program", NULL, &credentials, &target);
	assert_false(target.file_capabilities);
	assert_true(target.privileges_ignored && target.secure_execution);
}

/* The AT_SECURE that NOBODY really gets from the kernel. */
static int kernel_secure(const char *program, bool no_new_privileges)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		    setresuid(NOBODY, NOBODY, NOBODY) == 0 &&
		    (!no_new_privileges || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0))
			execl(program, program, NULL);
		_exit(UINT8_MAX);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void secure_execution_is_what_the_kernel_gives(void **state)
{
	static const struct {
		mode_t mode;
		bool capability;
		bool no_new_privileges;
	} rows[] = {
		{0755, false, false},  {0755, false, true},   {04755, false, false},
		{04755, false, true},  {02755, false, false}, {02755, false, true},
		{02745, false, false}, {0755, true, false},   {0755, true, true},
	};

	(void)state;
	require_root();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct target_credentials credentials = {NOBODY, NOBODY, rows[i].no_new_privileges};
		struct target target;
		int secure;

		write_static("program", rows[i].mode);
		if (rows[i].capability)
			give_capability("program");
		target_inspect("./program", NULL, &credentials, &target);
		secure = kernel_secure("./program", rows[i].no_new_privileges);
		if (secure != target.secure_execution)
			fail_msg("row %zu: the kernel says %d", i, secure);
	}
}

/* ---- mounts ---- */

enum { CHILD_SUCCEEDED, CHILD_FAILED, CHILD_SKIPPED };

/* Runs `check` in a child with a fresh file system, mounted with `flags`, on ./mount. */
static void on_a_mount(unsigned long flags, bool (*check)(void))
{
	int status = 0;
	pid_t child;

	require_root();
	assert_int_equal(mkdir("mount", 0755), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* A type that the kernel does not look at: valgrind wants one. */
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("none", "mount", "tmpfs", 0, "mode=0755") != 0)
			_exit(CHILD_SKIPPED);
		write_static("mount/program", 06755);
		if (mount("none", "mount", "", MS_REMOUNT | flags, NULL) != 0)
			_exit(CHILD_SKIPPED);
		_exit(check() ? CHILD_SUCCEEDED : CHILD_FAILED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_SKIPPED) {
		print_message("skipped: no mount namespace here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), CHILD_SUCCEEDED);
}

static bool program_cannot_be_executed(void)
{
	struct target target;

	inspect_for(NOBODY, NOBODY, "mount/program", &target);
	if (target.kind != TARGET_ABSENT || target.exec_error != EACCES)
		return false;
	inspect("mount/program", &target);
	return target.exec_error == EACCES && kernel_verdict("mount/program") == EACCES;
}

static bool program_has_no_privileges(void)
{
	struct target target;

	inspect_for(NOBODY, NOBODY, "mount/program", &target);
	return target.kind == TARGET_STATIC && !target.set_user_id && !target.set_group_id &&
	       !target.secure_execution && target.privileges_ignored;
}

static void a_noexec_mount_refuses_every_program(void **state)
{
	(void)state;
	on_a_mount(MS_NOEXEC, program_cannot_be_executed);
}

static void a_nosuid_mount_drops_privileges(void **state)
{
	(void)state;
	on_a_mount(MS_NOSUID, program_has_no_privileges);
}

/* ---- */

static void no_descriptor_is_left_open(void **state)
{
	struct target target;
	int before = dup(STDIN_FILENO);
	int after;

	(void)state;
	close(before);
	scratch_text("script", "#!/bin/cat\n", 0755);
	inspect("./script", &target);
	inspect("./missing", &target);
	inspect("/bin/cat", &target);
	after = dup(STDIN_FILENO);
	close(after);
	assert_int_equal(before, after);
}

/* What cannot be read, or has lost its DT_SONAME, is known by its name. */
static void the_loader_of_glibc_is_known_by_name_too(void **state)
{
	static const struct {
		enum target_kind kind;
		bool position_independent, has_dynamic, is_glibc_loader;
		const char *program;
		bool answer;
	} rows[] = {
		{TARGET_STATIC, true, true, true, "/x/other", true},
		{TARGET_STATIC, true, true, false, "/x/other", false},
		{TARGET_STATIC, true, true, false, "/x/ld-linux-x86-64.so.2", true},
		{TARGET_STATIC, true, true, false, "/x/ld-musl-x86_64.so.1", false},
		{TARGET_STATIC, true, true, false, "./ld.so.1", true},
		{TARGET_STATIC, true, true, false, "loader", true}, /* a link to ld64.so.2 */
		{TARGET_STATIC, false, true, true, "/x/ld64.so.2", false},
		{TARGET_STATIC, true, false, true, "/x/ld64.so.2", false},
		{TARGET_DYNAMIC, true, true, true, "/x/ld64.so.2", false},
		{TARGET_UNREADABLE, false, false, false, "/x/ld64.so.2", true},
		{TARGET_UNREADABLE, false, false, false, "/x/ld64", false},
		{TARGET_UNKNOWN, false, false, false, "ld-linux.so.2", true},
		{TARGET_ABSENT, false, false, false, "ld-linux.so.2", false},
	};
	static struct target target;

	(void)state;
	scratch_text("ld64.so.2", "", 0755);
	assert_int_equal(symlink("ld64.so.2", "loader"), 0);
	for (size_t row = 0; row < COUNT(rows); row++) {
		target = (struct target){.kind = rows[row].kind};
		target.elf.position_independent = rows[row].position_independent;
		target.elf.has_dynamic = rows[row].has_dynamic;
		target.elf.is_glibc_loader = rows[row].is_glibc_loader;
		strcpy(target.program, rows[row].program);
		assert_int_equal(target_is_glibc_loader(&target), rows[row].answer);
	}
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(an_installed_dynamic_program_is_dynamic),
		SCRATCH_TEST(a_program_without_interpreter_is_static),
		SCRATCH_TEST(a_symbolic_link_is_followed_and_keeps_its_name),
		SCRATCH_TEST(a_script_is_followed_to_its_interpreter),
		SCRATCH_TEST(a_relative_interpreter_is_taken_from_the_current_directory),
		SCRATCH_TEST(neither_elf_nor_script_is_unknown),
		SCRATCH_TEST(a_corrupt_interpreter_name_is_unknown),
		SCRATCH_TEST(a_foreign_program_is_not_judged_by_its_interpreter),
		SCRATCH_TEST(only_loaders_that_exist_and_honour_preload_are_known),
		SCRATCH_TEST(the_loader_of_glibc_is_known_by_name_too),
		SCRATCH_TEST(a_missing_command_is_not_found),
		SCRATCH_TEST(what_is_no_file_cannot_be_executed),
		SCRATCH_TEST(a_file_without_execute_permission_is_refused_also_to_root),
		SCRATCH_TEST(a_command_that_is_too_long_is_refused),
		SCRATCH_TEST(a_script_is_refused_for_the_sake_of_its_interpreter),
		SCRATCH_TEST(scripts_of_scripts_are_followed_as_far_as_the_kernel_does),
		SCRATCH_TEST(a_missing_loader_is_named),
		SCRATCH_TEST(a_loader_that_cannot_be_executed_is_named),
		SCRATCH_TEST(a_loader_that_is_no_elf_of_this_machine_is_refused),
		SCRATCH_TEST(the_first_directory_that_has_the_command_wins),
		SCRATCH_TEST(an_empty_directory_is_the_current_one),
		SCRATCH_TEST(a_name_with_a_slash_is_not_searched_for),
		SCRATCH_TEST(a_file_that_may_not_be_executed_does_not_end_the_search),
		SCRATCH_TEST(the_file_that_may_not_be_executed_is_named),
		SCRATCH_TEST(a_script_whose_interpreter_is_missing_does_not_end_the_search),
		SCRATCH_TEST(an_error_that_execvp_stops_at_ends_the_search),
		SCRATCH_TEST(a_directory_that_is_too_long_is_left_out),
		SCRATCH_TEST(without_a_search_path_the_systems_own_is_used),
		SCRATCH_TEST(a_file_that_is_no_program_is_never_handed_to_a_shell),
		SCRATCH_TEST(permission_is_judged_for_the_user_that_will_execute),
		SCRATCH_TEST(an_unreadable_file_may_still_have_privileges),
		SCRATCH_TEST(an_unreadable_file_is_told_from_an_unknown_one),
		SCRATCH_TEST(a_set_user_id_program_of_another_user_is_privileged),
		SCRATCH_TEST(a_set_group_id_program_needs_group_execute_permission),
		SCRATCH_TEST(a_set_user_id_program_of_ones_own_is_not_privileged),
		SCRATCH_TEST(set_user_id_on_a_script_means_nothing),
		SCRATCH_TEST(file_capabilities_are_privileges_but_not_for_root),
		SCRATCH_TEST(no_new_privileges_drops_them_all),
		SCRATCH_TEST(no_new_privileges_leaves_secure_execution_of_file_capabilities),
		SCRATCH_TEST(secure_execution_is_what_the_kernel_gives),
		SCRATCH_TEST(a_noexec_mount_refuses_every_program),
		SCRATCH_TEST(a_nosuid_mount_drops_privileges),
		SCRATCH_TEST(no_descriptor_is_left_open),
	};

	scratch_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
