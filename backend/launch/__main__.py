import sys

from backend.launch.supervisor import main

sys.exit(main())
