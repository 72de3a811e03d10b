/*
 * A guest of a few hundred bytes, which QEMU starts as a Multiboot kernel and
 * which does what its command line says, word by word:
 *
 *   say:TEXT   write a line to the serial port, _ for spaces
 *   ask:TEXT   the same without an end of the line
 *   wait:N     wait N seconds
 *   keys:N     wait for N keys, and say each one's code after the other
 *   write      write a boot record to the first IDE disk
 *   off        switch the machine off, as ACPI does
 *   reset      restart the machine
 *
 * After the last word it does nothing, for ever; other words mean nothing.
 */
asm(".text\n"
    ".long 0x1badb002, 0, -0x1badb002\n"
    ".globl _start\n"
    "_start: mov $stack + 4096, %esp\n"
    "  push %ebx\n"
    "  call run\n"
    "1: cli; hlt; jmp 1b\n"
    ".comm stack, 4096, 16\n");

static void outb(unsigned short port, unsigned char v) { asm volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }
static void outw(unsigned short port, unsigned short v) { asm volatile("outw %0, %1" ::"a"(v), "Nd"(port)); }
static unsigned char inb(unsigned short port) {
	unsigned char v;
	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void put(char c) {
	while (!(inb(0x3f8 + 5) & 0x20)) {
	}
	outb(0x3f8, c);
}

/* is says whether a word is this command, and where its argument is. */
static const char *is(const char *word, const char *command) {
	while (*command)
		if (*word++ != *command++)
			return 0;
	return word;
}

static unsigned char second(void) {
	outb(0x70, 0);
	return inb(0x71);
}

static void wait(int seconds) {
	while (seconds--)
		for (unsigned char now = second(); now == second();) {
		}
}

/* sector is a boot record with one partition, by pairs of bytes. */
static unsigned short sector(int at) {
	switch (at) {
	case 450: return 0x83;  /* Linux */
	case 454: return 2048;  /* its start, */
	case 458: return 16384; /* its length, */
	case 510: return 0xaa55;
	}
	return at < 440 ? 0x4141 : 0;
}

static void write_sector(void) {
	while (inb(0x1f7) & 0x80) {
	}
	outb(0x1f6, 0xe0);
	outb(0x1f2, 1);
	outb(0x1f3, 0);
	outb(0x1f4, 0);
	outb(0x1f5, 0);
	outb(0x1f7, 0x30);
	while (!(inb(0x1f7) & 0x08)) {
	}
	for (int i = 0; i < 256; i++)
		outw(0x1f0, sector(i * 2));
	outb(0x1f7, 0xe7); /* flush */
	while (inb(0x1f7) & 0x80) {
	}
}

static void say(const char *text) {
	for (; *text && *text != ' '; text++)
		put(*text == '_' ? ' ' : *text);
}

/* keys says the codes of keys that are pressed, as letters from A on. */
static void keys(int count) {
	while (count) {
		while (!(inb(0x64) & 1)) {
		}
		unsigned char code = inb(0x60);
		if (code < 0x80) {
			put('A' + (code >> 4));
			put('A' + (code & 15));
			count--;
		}
	}
	put('\n');
}

void run(const unsigned *multiboot) {
	const char *word = (const char *)multiboot[4];
	for (const char *rest; *word;) {
		if ((rest = is(word, "say:"))) {
			say(rest);
			put('\n');
		} else if ((rest = is(word, "ask:")))
			say(rest);
		else if ((rest = is(word, "keys:")))
			keys(*rest - '0');
		else if ((rest = is(word, "wait:")))
			wait(*rest - '0');
		else if (is(word, "write"))
			write_sector();
		else if (is(word, "off"))
			outw(0x604, 0x2000);
		else if (is(word, "reset"))
			outb(0x64, 0xfe);
		while (*word && *word != ' ')
			word++;
		while (*word == ' ')
			word++;
	}
}
