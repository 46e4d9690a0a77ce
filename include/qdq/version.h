#pragma once
#define QDQ_VERSION "0.1.0"
