# What can be chosen for every version. A version's own facts are in its variable file.

variable "iso_path" {
  type        = string
  default     = ""
  description = "The installer's ISO on this machine, from Microsoft."
}

variable "vhdx_path" {
  type        = string
  default     = ""
  description = "In place of an ISO: a disk on which Windows is installed already and was never started, as Microsoft offers some for evaluation."
}

variable "iso_checksum" {
  type        = string
  default     = "none"
  description = "What the ISO or disk is checked against: sha256:..."
}

variable "edition" {
  type        = string
  default     = ""
  description = "Which edition of those on the ISO: PRO, ENTERPRISE and so on for clients, SERVERSTANDARD, SERVERDATACENTER for servers, with CORE at the end for one without a desktop. Any other name is taken as the ISO has it."
  validation {
    condition     = can(regex("^[A-Za-z0-9 .()-]*$", var.edition))
    error_message = "An edition is letters, digits, spaces, dots and hyphens, such as SERVERSTANDARD or Enterprise Evaluation."
  }
}

variable "product_key" {
  type        = string
  default     = ""
  sensitive   = true
  description = "A licence key for the edition. Evaluation ISOs need none, and refuse one."
  validation {
    condition     = var.product_key == "" || can(regex("^([A-Z0-9]{5}-){4}[A-Z0-9]{5}$", var.product_key))
    error_message = "A product key is five times five capital letters and digits, with hyphens between."
  }
}

variable "language" {
  type        = string
  default     = "en-US"
  description = "The language of Windows, which is the ISO's."
  validation {
    condition     = can(regex("^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", var.language))
    error_message = "A language is like en-US, de-DE or sr-Latn-RS."
  }
}

variable "locale" {
  type        = string
  default     = "en-US"
  description = "How numbers, times and money are written, as a language of a country."
  validation {
    condition     = can(regex("^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", var.locale))
    error_message = "A locale is like en-US, de-DE or sr-Latn-RS."
  }
}

variable "keyboard" {
  type        = string
  default     = "en-US"
  description = "The keyboard, as a language of a country, or as its numbers: 0407:00000407."
  validation {
    condition     = can(regex("^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*|[0-9a-fA-F]{4}:[0-9a-fA-F]{8})$", var.keyboard))
    error_message = "A keyboard is like en-US or 0409:00000409."
  }
}

variable "time_zone" {
  type        = string
  default     = "UTC"
  description = "Windows' name for the time zone: UTC, W. Europe Standard Time."
  validation {
    condition     = can(regex("^[A-Za-z0-9 .()+-]+$", var.time_zone))
    error_message = "A time zone is a name of Windows', as tzutil /l lists them."
  }
}

variable "cloudbase_init" {
  type        = string
  default     = "https://github.com/cloudbase/cloudbase-init/releases/download/1.1.6/CloudbaseInitSetup_1_1_6_x64.msi"
  description = "Cloudbase-Init's installer: a file on this machine, or a URL."
}

variable "cloudbase_init_sha256" {
  type        = string
  default     = ""
  description = "The checksum of what is at a URL. Without one, it has to be signed by Cloudbase Solutions."
  validation {
    condition     = var.cloudbase_init_sha256 == "" || can(regex("^[0-9a-fA-F]{64}$", var.cloudbase_init_sha256))
    error_message = "A checksum by SHA-256 is 64 hexadecimal digits."
  }
}

variable "virtio" {
  type        = string
  default     = "https://fedorapeople.org/groups/virt/virtio-win/direct-downloads/archive-virtio/virtio-win-0.1.266-1/virtio-win.iso"
  description = "The ISO with VirtIO drivers and guest tools: a file on this machine, a URL, or none with an empty name. Machines without virtualization do without."
}

variable "virtio_sha256" {
  type        = string
  default     = "57b0f6dc8dc92dc2ae8621f8b1bfbd8a873de9bedc788c4c4b305ea28acc77cd"
  description = "The checksum of what is at a URL."
  validation {
    condition     = var.virtio_sha256 == "" || can(regex("^[0-9a-fA-F]{64}$", var.virtio_sha256))
    error_message = "A checksum by SHA-256 is 64 hexadecimal digits."
  }
}

variable "drivers" {
  type        = string
  default     = ""
  description = "A folder on this machine with further drivers, unpacked: .inf files and what belongs to them, in folders of any depth. They serve Setup as well."
}

variable "custom" {
  type        = string
  default     = ""
  description = "A folder on this machine with a script custom.ps1 of your own, and what it needs, to be run in the machine as an administrator before it is sealed."
  validation {
    condition     = var.custom == "" || contains([for name in fileset(abspath(var.custom), "*") : lower(name)], "custom.ps1")
    error_message = "The folder of custom has to have a custom.ps1."
  }
}

variable "windows_update" {
  type        = bool
  default     = false
  description = "Install all that Windows Update offers. It takes long."
}

variable "http_proxy" {
  type        = string
  default     = env("HTTP_PROXY")
  description = "The proxy for what is fetched in the machine. It does not stay in the image."
}

variable "filetype" {
  type        = string
  default     = "ddtgz"
  description = "The image's form in MAAS: ddtgz or ddgz."
  validation {
    condition     = contains(["ddtgz", "ddgz"], var.filetype)
    error_message = "The filetype is ddtgz or ddgz."
  }
}

variable "filename" {
  type        = string
  default     = ""
  description = "Where the image goes; by default NAME.dd.tgz or NAME.dd.gz in the working folder."
}

variable "timeout" {
  type        = string
  default     = "1h"
  description = "How long the installation may take in all. A failure or a silent machine ends it sooner."
}

variable "headless" {
  type        = bool
  default     = true
  description = "Without a window for the machine's screen. It can be seen by VNC all the same, from this machine."
}

variable "firmware" {
  type        = string
  default     = "uefi-secure"
  description = "The firmware of the build's machine: uefi-secure, uefi, or bios for a disk that was made for it. The machines to be deployed need the same kind."
  validation {
    condition     = contains(["uefi-secure", "uefi", "bios"], var.firmware)
    error_message = "The firmware is uefi-secure, uefi or bios."
  }
}

variable "boot_wait" {
  type        = number
  default     = 20
  description = "How many seconds the machine may take until its CD asks for a key. It takes longer without KVM."
}

variable "memory" {
  type        = number
  default     = 4096
  description = "MiB of memory for the build's machine."
}

variable "disk_size" {
  type        = string
  default     = "32G"
  description = "The build's disk, which is the smallest that the image fits; a VHDX keeps its own size."
}

# The version's own facts.

variable "name" {
  type        = string
  description = "What the version is called here: the variable file's name."
}

variable "title" {
  type        = string
  description = "What MAAS's pages show."
}

variable "maas_name" {
  type        = string
  description = "The image's name in MAAS, such as windows/windows-server-2022. With names of MAAS's own, such as windows/win2019, it asks for a licence key of each machine."
}

variable "product" {
  type        = string
  description = "What the names of the ISO's editions begin with."
}

variable "client" {
  type        = bool
  default     = false
  description = "It is no server."
}

variable "image_index" {
  type        = string
  default     = ""
  description = "The number of the edition on the ISO, where its name is not known."
}

variable "generalize" {
  type        = bool
  default     = true
  description = "Take from the system what has to be each machine's own, such as its SID."
}

variable "tpm" {
  type        = bool
  default     = false
  description = "The build's machine has a TPM 2.0."
}

variable "virtio_folder" {
  type        = string
  description = "The version's folder among the VirtIO drivers."
}
