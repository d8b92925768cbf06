import { NavLink } from 'react-router'
import classes from './SubNavigation.module.css'

interface SubNavigationProps {
  /** What these pages are of, for screen readers. */
  label: string
  pages: readonly { to: string; name: string }[]
}

/** The pages of one thing, side by side. Links, so that each has its address and the back button its meaning. */
export function SubNavigation({ label, pages }: SubNavigationProps) {
  return (
    <nav aria-label={label} className={classes.bar}>
      {pages.map(({ to, name }) => (
        <NavLink key={to} to={to} end className={classes.link}>
          {name}
        </NavLink>
      ))}
    </nav>
  )
}
