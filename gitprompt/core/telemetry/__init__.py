# SPDX-License-Identifier: Apache-2.0
"""What calls of models say of themselves, what they used, and what that cost."""
